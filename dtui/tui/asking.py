"""The part of the app that asks for a line of text: a search, a note, a place to go to, a file to write."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from textual import events
from textual.app import App

from dtui.errors import DtuiError
from dtui.safe_text import safe
from dtui.tui.terminal.capabilities import is_served, log_path
from dtui.tui.terminal.textual_patch import forget_shown
from dtui.tui.terminal.themes import textual_theme
from dtui.tui.widgets.takes_keys import TakesKeys, take_mouse

if TYPE_CHECKING:
    from textual.timer import Timer

    from dtui.tui.export import Shot
    from dtui.tui.renderables.canvas.theme import Theme
    from dtui.tui.renderables.panes.over.box import Box
    from dtui.tui.state.choice import Choice
    from dtui.tui.state.pane import Pane, Scene
    from dtui.tui.state.review.reviewing import Decision
    from dtui.tui.state.session import Session
    from dtui.tui.widgets.command_line import CommandLine


LOG = logging.getLogger(__name__)
EXAMPLE = "1003, class 4, a layer, f17, what is dead, or what to do"
"""What the palette may be asked for."""
UNKNOWN = "nothing is called so"
"""What it says of a line that means nothing."""
HELD_SECONDS, HELD_RESTS_SECONDS = 0.06, 0.1
"""Keys that follow each other so closely are one key that is held; and how soon after the last the hand rests."""
TYPED_RESTS_SECONDS = 0.3
"""How soon after a letter of a search the hand rests."""


class AskingApp(App[None]):
    """An app that asks for lines; what they mean is the session's to say."""

    session: Session | None
    _resting: Timer | None = None
    _last_key = 0.0

    # --- the hand

    @property
    def waiting(self) -> tuple[Pane, ...]:
        """The panes that ask nothing until the hand rests: those beside that in which a key is held; in a search all.

        A link carries what somebody looks at meanwhile, the readout or the names that are found, and the rest once.
        """
        if self.session is None or self._resting is None:
            return ()
        line, scene = self.command_line, self.session.scene
        is_typing = line is not None and line.is_asking
        return tuple(pane for pane in scene.screen.panes if is_typing or pane is not scene.pane)

    def note_key(self) -> None:
        """Notice whether a key is held."""
        last, self._last_key = self._last_key, time.monotonic()
        if self._last_key - last < HELD_SECONDS:
            self._move_hand(HELD_RESTS_SECONDS)

    def _move_hand(self, rests: float) -> None:
        if self._resting is not None:
            self._resting.stop()
        self._resting = self.set_timer(rests, self._rest_hand)

    def _rest_hand(self) -> None:
        if self._resting is not None:
            self._resting.stop()
        self._resting = None
        self.paint()

    theme_shown: Theme

    def begin_in(self, theme: Theme) -> None:
        """Take the first theme: Textual styles everything anew for a later one, and would do so before it paints."""
        if theme.name != "dark":  # Textual begins in the dark
            self.take_theme(theme)
            return
        self.theme_shown = theme
        self.register_theme(textual_theme(theme))
        self.set_reactive(App.theme, f"dtui-{theme.name}")
        self.stylesheet.set_variables(self.get_css_variables())

    def take_theme(self, theme: Theme) -> None:
        """Show everything in the colours of a theme."""
        self.theme_shown = theme
        self.register_theme(textual_theme(theme))
        self.theme = f"dtui-{theme.name}"

    def action_draw_anew(self) -> None:
        """Write every cell: something else, such as a message to all users, has written on the terminal."""
        forget_shown(self)
        self.refresh()

    async def on_event(self, event: events.Event) -> None:
        """Have the mouse, and a key or a paste over the panes, taken whole before the next one is looked at."""
        if isinstance(event, events.MouseEvent) and not event.is_forwarded:
            await take_mouse(self, event)
            return
        over = self.focused if isinstance(event, events.Key | events.Paste) else None
        if not isinstance(event, events.Key | events.Paste) or not isinstance(over, TakesKeys):
            await super().on_event(event)
        elif isinstance(event, events.Paste) or not await self._check_bindings(event.key, priority=True):
            await over.take(event)

    def paint(self) -> None:
        """Ask for missing data and show the data at hand."""
        raise NotImplementedError

    def perform(self, action: str) -> None:
        """Perform an action of the registry."""
        raise NotImplementedError

    def cover(self, box: Box, done: Callable[[int | None], None] | None = None) -> None:
        """Lay a box over the panes until it is closed."""
        raise NotImplementedError

    def write_down(self, decisions: tuple[Decision, ...]) -> None:
        """Have decisions written."""
        raise NotImplementedError

    @property
    def command_line(self) -> CommandLine | None:
        """The line that asks for text on the data screen that is shown; None while there is none."""
        from dtui.tui.screens.base import DataScreen

        return self.screen.command_line if isinstance(self.screen, DataScreen) and self.screen.is_mounted else None

    def ask_for(self, action: str, session: Session) -> None:
        """Open help, or ask for a line: a search, a note, a place to go to."""
        from dtui.tui.screens.boxes import help_box
        from dtui.tui.widgets.command_line import Wish

        line = self.command_line
        if action == "help":
            self.cover(help_box(session.scene))
        elif line is None:
            return
        elif action == "palette":
            line.ask(Wish(":", "", self._go, suggest=self._suggest, example=EXAMPLE, unknown=UNKNOWN))
        elif action == "export":
            from dtui.tui.export import Shot, first_name, wrong_name

            shot = Shot(self.screen._compositor.render_update(full=True) or "", *self.size)
            label = "download" if is_served(os.environ) else "write to"
            line.ask(Wish(label, first_name(session.scene), partial(self._export, shot), changed=wrong_name))
        elif action == "search":
            if session.searched is None:
                session.fail("search: nothing on this screen has names")
                return
            before = session.current_search

            def restore(line: str | None, _: int) -> None:
                if line is None:
                    self._search(before)
                self._rest_hand()

            line.ask(Wish("/", before, restore, changed=self._search))
        else:
            entries = session.targets()
            if entries:
                line.ask(Wish("note", safe(entries[0].note), self._note))

    def choose(self, session: Session, choice: Choice) -> None:
        """Have a person choose from a list."""
        from dtui.tui.screens.boxes import choosing_box

        def take(place: int | None) -> None:
            if place is not None:
                session.take_option(choice.options[place])
                self.paint()

        self.cover(choosing_box(choice), take)

    def _export(self, shot: Shot, name: str | None, _: int) -> None:
        """Write what was on the screen before the line was asked for, in a thread: a picture takes long to draw."""
        if self.session is not None and name is not None:
            self.session.fail(f"writing {safe(name)} …")
            self.paint()
            self.run_worker(self._write(name, shot, self.session), exit_on_error=False)

    async def _write(self, name: str, shot: Shot, session: Session) -> None:
        from dtui.tui.export import export

        try:
            make = self._send if is_served(os.environ) else export
            line = await asyncio.to_thread(make, name, session.scene, shot)
        except DtuiError as error:
            line = str(error)
        except Exception as error:
            LOG.exception("%s: cannot be written", name)
            line = f"{name}: not written ({type(error).__name__}: {error}); details: {log_path()}"
        session.fail(line)
        self.paint()

    def _send(self, name: str, scene: Scene, shot: Shot) -> str:
        """Let the browser keep it: the server's disk is not the reader's. Called in a thread."""
        import io

        from dtui.tui.export import exported, file_name

        data, lacking = exported(name, scene, shot)
        self.call_from_thread(self.deliver_binary, io.BytesIO(data), save_filename=file_name(name))
        return f"sent to the browser: {safe(name)}, {len(data):,} bytes{lacking}"

    def _suggest(self, line: str) -> list[tuple[str, str, str]]:
        from dtui.tui.state.places.go_to import hints
        from dtui.tui.widgets.command_line import MOST_SUGGESTIONS

        session = self.session
        return [] if session is None else hints(session.find_places(line, MOST_SUGGESTIONS))

    def _go(self, line: str | None, chosen: int) -> None:
        """Go to the chosen place, or say that there is none."""
        session = self.session
        if session is None or line is None:
            return
        action = session.go(line, chosen)
        if action is not None:
            self.perform(action)
        self.paint()

    def _search(self, pattern: str) -> str:
        if self.session is None:
            return ""
        wrong = self.session.search(pattern)
        self._move_hand(TYPED_RESTS_SECONDS)
        self.paint()
        return wrong

    def _note(self, line: str | None, _: int) -> None:
        if self.session is not None and line is not None:
            self.write_down(self.session.note(line))
            self.paint()
