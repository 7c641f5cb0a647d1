"""The part of the app that is there before the run is open.

It shows the first screen of the last time, keeps it for the next, has what a person does meanwhile wait, and waits for
the first record of a training that has just begun.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

from textual import events

from dtui.errors import DtuiError, RunNotBegunError
from dtui.run_path import with_suffix
from dtui.tui.asking import AskingApp
from dtui.tui.last_screen import LastScreen, Sight, find_last, keep_last
from dtui.tui.terminal.background import BackgroundTold
from dtui.tui.terminal.capabilities import is_served, needs_ascii
from dtui.tui.terminal.textual_patch import forget_shown, is_known, write_screen
from dtui.tui.terminal.themes import theme_for
from dtui.tui.widgets.opening import Opening

if TYPE_CHECKING:
    from textual.screen import Screen

    from dtui.tui.loader import Loader
    from dtui.tui.renderables.canvas.cells import Cells
    from dtui.tui.renderables.canvas.output import Output
    from dtui.tui.screens.base import DataScreen
    from dtui.tui.state.session import Session


LOOK_AGAIN_SECONDS = 0.7
"""How soon a run in which nothing is recorded yet is looked at again."""
GROUND_SECONDS = 0.2
"""How long the terminal is given to tell its background, where a screen is kept for either."""
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
    follows_background: bool
    """Whether the theme is the one for the terminal's background."""
    _is_told = False
    """Whether the terminal has told its background."""
    _lasts: tuple[LastScreen, ...] = ()
    """The screens of the last time, until the run is open: one for each theme that may be meant."""
    _on_screen: LastScreen | None = None
    """The one that the terminal shows."""
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

    def sights(self) -> tuple[Sight, ...]:
        """Return what the first screen may depend on: with either theme where the terminal's background decides."""
        sight = self.sight
        themes = {self.theme_shown.name, *(("dark", "light") if self.follows_background else ())}
        return () if sight is None else tuple(sight._replace(theme=theme_for(name)) for name in sorted(themes))

    def find_lasts(self, sights: tuple[Sight, ...]) -> None:
        """Find the screens of the last time, in the loader's thread: a disk may be slow, or hang."""
        lasts = tuple(filter(None, map(find_last, sights)))
        if lasts:
            self.call_later(self._take_lasts, lasts)

    def _take_lasts(self, lasts: tuple[LastScreen, ...]) -> None:
        """Show the screen of the theme at hand; where there are two, wait a moment to be told which."""
        self._lasts = lasts
        if len(lasts) == 1 or self._is_told:
            self._show_last()
        else:
            self.set_timer(GROUND_SECONDS, self._show_last)

    def _show_last(self) -> None:
        """Show the screen of the last time; what can be read of it can be acted on."""
        last = next((last for last in self._lasts if last.sight == self.sight), None)
        if self.session is None and last is not None and last is not self._on_screen:
            write_screen(self, last.text, last.shown)
            self._on_screen, self.is_seen = last, True

    def _display(self, screen: Screen[Any], renderable: Any) -> None:
        """Write what Textual has painted; a screen of the last time that stood there is shown again behind it."""
        super()._display(screen, renderable)
        if screen.id == "_default":  # that of the frame
            forget_shown(self)
            self._on_screen = None
            if self._lasts:
                self.call_later(self._show_last)

    def on_background_told(self, message: BackgroundTold) -> None:
        """Take the theme for the terminal's background, unless the user has said which."""
        theme, self._is_told = theme_for("light" if message.is_light else "dark"), True
        if self.follows_background and theme is not self.theme_shown:
            self.take_theme(theme)
            for opening in self.query(Opening):
                opening.take_theme(theme)
            self.paint()
        self._show_last()

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
        self._lasts = ()
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
