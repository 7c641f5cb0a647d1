"""The part of the app that is there before the run is open.

It shows the first screen of the last time, keeps it for the next, has what a person does meanwhile wait, and waits for
the first record of a training that has just begun.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

from textual import events

from dtui.errors import DtuiError, RunNotBegunError
from dtui.run_path import with_suffix
from dtui.tui.asking import AskingApp
from dtui.tui.last_screen import LastScreen, Sight, find_last, keep_last
from dtui.tui.terminal.capabilities import is_served, needs_ascii
from dtui.tui.terminal.textual_patch import is_known, write_screen
from dtui.tui.widgets.opening import Opening

if TYPE_CHECKING:
    from dtui.tui.loader import Loader
    from dtui.tui.renderables.canvas.cells import Cells
    from dtui.tui.renderables.canvas.output import Output
    from dtui.tui.screens.base import DataScreen
    from dtui.tui.state.session import Session


LOOK_AGAIN_SECONDS = 0.7
"""How soon a run in which nothing is recorded yet is looked at again."""
LEAVES = "q"
"""The key that leaves the program."""


class ReopeningApp(AskingApp):
    """An app that shows a run as it was seen last while it opens it."""

    path: Path
    error: DtuiError | None
    data_screen: DataScreen | None
    _output: Output | None
    _wishes: tuple[str, bool, bool]
    loader: Loader
    _settled: Cells | None = None
    is_plain: bool
    """Whether the run is opened as always: without a list of runs, and at no place of its own."""
    has_acted = False
    """Whether a person has done something with the first screen."""
    is_seen = False
    """Whether the screen of the last time is on the terminal."""
    done: tuple[events.Event, ...] = ()
    """What was pressed, clicked or pasted before there is a screen; only the last key where nothing of the run is seen
    yet."""

    @property
    def writes_ascii(self) -> bool:
        """Whether only ASCII may be written."""
        return self._wishes[1] or needs_ascii(os.environ, getattr(sys.__stderr__, "encoding", None))

    @property
    def sight(self) -> Sight | None:
        """What the first screen depends on; None where it is not kept."""
        if not self.is_plain or not is_known() or self.is_headless or is_served(os.environ):
            return None
        mode, _, is_slow = self._wishes
        run = self.path if self.path.exists() else with_suffix(self.path)
        return Sight(run, *self.size, self.theme_shown, mode, self.writes_ascii, is_slow)

    def find_last(self, sight: Sight | None) -> None:
        """Find the screen of the last time, in the loader's thread: a disk may be slow, or hang."""
        last = None if sight is None else find_last(sight)
        if last is not None:
            self.call_later(self._show_last, last)

    def _show_last(self, last: LastScreen) -> None:
        """Show the screen of the last time; what can be read of it can be acted on."""
        if self.session is None and self.sight == last.sight:
            write_screen(self, last.text, last.shown)
            self.is_seen = True

    def keep_last(self) -> None:
        """Keep the first screen for the next time, once what was answered last is painted; from any thread."""
        self.call_later(self.call_later, self._keep_last)

    def _keep_last(self) -> None:
        session, screen, sight, output = self.session, self.data_screen, self.sight, self._output
        if session is None or screen is None or sight is None or output is None:
            return
        settled, self._settled = self._settled, screen.board.cells
        if settled is None or settled is not screen.board.cells:
            self.loader.settle(self.keep_last)  # until nothing new is asked because of the last answers
        elif not session.view.is_live and not self.has_acted and not screen.is_covered and sight.run.is_dir():
            Thread(target=keep_last, args=(sight, settled, output), daemon=True).start()

    # --- what a person does before the run is open

    async def on_event(self, event: events.Event) -> None:
        """Have a key, a paste or the mouse wait until there is a screen: Textual would hand it to what is shown now."""
        if self.session is not None or not isinstance(event, events.InputEvent | events.Paste) or event.is_forwarded:
            await super().on_event(event)
        elif not isinstance(event, events.Key):
            self.done = (*self.done, event) if self.is_seen else self.done
        elif not await self._check_bindings(event.key, priority=True):
            if event.key == LEAVES and not (self.is_seen and self.done):
                self.exit()
            self.done = (*self.done, event) if self.is_seen else (event,)

    def take_pressed(self, session: Session) -> None:
        """Go to the screen whose key was pressed while the run was being opened; other keys are about what is seen."""
        keys = [event.key for event in self.done if isinstance(event, events.Key)]
        for screen in session.table.screens:
            if screen.key and not self.is_seen and [screen.key] == keys:
                session.perform(screen.action.id)
                self.has_acted = True

    async def take_seen(self) -> None:
        """Act on what was done with the screen of the last time, now that there is one."""
        done, self.done = self.done if self.is_seen else (), ()
        for event in done:
            await self.on_event(event)

    # --- a run that cannot be opened

    def not_opened(self, error: DtuiError) -> None:
        """Wait for the first record of a training that has just begun; else leave, with what is wrong."""
        if not isinstance(error, RunNotBegunError):
            self.error = error
            self.exit()
            return
        for opening in self.query(Opening):
            opening.wait_for_record()
        self.set_timer(LOOK_AGAIN_SECONDS, self.loader.open)
