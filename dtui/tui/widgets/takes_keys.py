"""Has each key, and what the mouse does, taken whole before the next one is looked at.

Textual posts a key to the widget that has the keyboard. A line that Enter ends would end after the keys behind it had
been posted to it, too: they would be lost, where they belong to the panes. A press is posted to the widget under the
mouse, and a key right behind it would be taken before it.
"""

from __future__ import annotations

from typing import Any

from textual import events
from textual.app import App
from textual.errors import NoWidget
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


async def take_mouse(app: App[Any], event: events.MouseEvent) -> None:
    """Have the widget that holds the mouse, or else the one under it, do what an event of the mouse does there."""
    try:
        widget = app.mouse_captured or app.screen.get_widget_at(event.x, event.y)[0]
        corner = app.screen.find_widget(widget).region
    except NoWidget:
        return
    there = event._apply_offset(-corner.x, -corner.y)
    there._set_forwarded()
    await widget._dispatch_message(there)
