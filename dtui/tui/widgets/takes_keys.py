"""A widget over the panes that has the keyboard, and takes each key whole before the next one is looked at.

Textual posts a key to the widget that has the keyboard. A line that Enter ends would end after the keys behind it had
been posted to it, too: they would be lost, where they belong to the panes.
"""

from __future__ import annotations

from textual import events
from textual.widget import Widget


class TakesKeys(Widget):
    """While it has the keyboard, the app calls it with each key and each paste."""

    async def take(self, event: events.Key | events.Paste) -> None:
        """Do what is bound to a key, by what lies around it first; take anything else as text."""
        if isinstance(event, events.Key):
            for node in reversed(self.ancestors_with_self[: self.ancestors_with_self.index(self.screen)]):
                for binding in node._bindings.key_to_bindings.get(event.key, ()):
                    if await self.app.run_action(binding.action, node):
                        return
        await self.take_text(event)

    async def take_text(self, event: events.Key | events.Paste) -> None:
        """Take what nothing is bound to."""
        raise NotImplementedError
