"""The Textual app: it connects keys, the loader's thread and the screens.

`Session` decides what keys mean and what is shown. The first paint needs only Textual; the loader's thread imports the
rest together with the run.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.message import Message

from dtui.errors import DtuiError, TerminalError
from dtui.heap import share_one_heap
from dtui.tui.events import Answered, Decided, Event, Failed, Opened, Quiet, Several
from dtui.tui.loader import Loader
from dtui.tui.opening import Open, open_query
from dtui.tui.reopening import ReopeningApp
from dtui.tui.terminal import pace
from dtui.tui.terminal.capabilities import log_path
from dtui.tui.terminal.driver import MustLeave, driver_class
from dtui.tui.terminal.textual_patch import forget_shown, is_painted, leave_out_unused
from dtui.tui.terminal.themes import output_for, theme_for
from dtui.tui.widgets.opening import Opening

if TYPE_CHECKING:
    from textual.geometry import Size

    from dtui.tui.renderables.canvas.frame import Frame
    from dtui.tui.renderables.canvas.output import Output
    from dtui.tui.renderables.panes.over.box import Box
    from dtui.tui.screens.base import DataScreen
    from dtui.tui.state.pane import Table
    from dtui.tui.state.places.link import Link
    from dtui.tui.state.review.reviewing import Decision
    from dtui.tui.state.run_view import RunView
    from dtui.tui.state.session import Session
    from dtui.tui.widgets.board import Used

LOG = logging.getLogger(__name__)
POLL_SECONDS = 0.7
IDLE_POLLS = 5
"""A run that is not live is looked at every so many polls: decisions of other people may arrive."""
SETTLING_SECONDS = 0.25
"""How long after the first screen begins to be painted what nobody waits for is done."""
LONG_POLLS = 15
"""A run that is not open by then takes long: garbage waits no longer for its first screen."""


class DtuiApp(ReopeningApp):
    """Shows one run."""

    TITLE = "dtui"
    ENABLE_COMMAND_PALETTE = False
    ALLOW_SELECT = False  # a drag moves the crosshair; as a selection of text it would repaint every pane as well
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+c", "interrupt", show=False, priority=True),
        Binding("ctrl+z", "suspend_process", show=False, priority=True),
        Binding("ctrl+l", "draw_anew", show=False, priority=True),
    ]

    class Told(Message):
        """A message that carries an event from the loader."""

        def __init__(self, event: Event) -> None:
            """Carry an event from the loader's thread."""
            super().__init__()
            self.event = event

    def __init__(
        self,
        path: Path,
        *,
        color: str = "truecolor",
        ascii_only: bool = False,
        theme_name: str = "dark",
        slow_link: bool = False,
        open_: Open = open_query,
        table: Table | None = None,
        places: Sequence[Path] = (),
        link: Link | None = None,
        bell: bool = False,
    ) -> None:
        """Prepare to show a run.

        Args:
            path: The run.
            color: "truecolor", "256", "16" or "none".
            ascii_only: Whether only ASCII may be written.
            theme_name: "dark" or "light"; "auto" for what the terminal says, dark until then.
            slow_link: Whether to draw with fewer colour steps.
            open_: Opens the run, in the loader's thread.
            table: The screens; None for those of `panes.table`.
            places: Runs and folders to list, on the screen that is shown first then; none for the folder of the run.
            link: A place in the run to open; None for the first choice of each pane.
            bell: Whether the terminal's bell rings at a new incident of a live run.
        """
        super().__init__(driver_class=driver_class())
        leave_out_unused(self, has_colour=color != "none")
        self.path = path
        self.error: DtuiError | None = None
        self.ended_by: int | None = None
        """The signal that ended the app."""
        self.session: Session | None = None
        self.begin_in(theme_for(theme_name))
        self.follows_background = theme_name == "auto"
        self._wishes = (color, ascii_only, slow_link)
        self._output: Output | None = None
        self._table = table
        self._link, self._has_bell = link, bell
        self.data_screen: DataScreen | None = None
        self._polls, self._is_painting = 0, False
        self._starts_in_list = bool(places) and link is None
        self.is_plain = table is None and link is None and not places
        self.loader = Loader(path, self._post, open_, places, self._first_session)

    def _post(self, event: Event) -> None:
        self.post_message(self.Told(event))

    def compose(self) -> ComposeResult:
        """Show at once the run's name, and that it is being opened."""
        yield Opening(self.path.name, self.theme_shown, is_ascii=self.writes_ascii)

    def on_mount(self) -> None:
        """Poll the run for new data."""
        self.set_interval(POLL_SECONDS, self._poll)

    def on_ready(self) -> None:
        """Open the run: the first paint is out."""
        self.screen.call_later(is_painted, self.screen)  # behind what its widgets have said by now
        share_one_heap()
        self.loader.start(partial(self.find_lasts, self.sights()))

    def on_unmount(self) -> None:
        """Close the run."""
        self.loader.close()

    def _poll(self) -> None:
        self._polls += 1
        session = self.session
        if session is not None or self._polls > LONG_POLLS:
            pace.of_keys()
        if session is not None and (session.view.is_live or self._polls % IDLE_POLLS == 0):
            self.loader.poll()

    # --- the loader

    @on(Told)
    async def take(self, message: Told) -> None:
        """Pass an event of the loader to the session."""
        event = message.event
        if isinstance(event, Failed) and event.about == "open":
            self.not_opened(event.error)
        elif self.session is not None:
            self._pass_on(event, self.session)
            self.paint()
        elif isinstance(event, Opened):
            await self._begin(event.session or self._first_session(event.view))

    def _pass_on(self, event: Event, session: Session) -> None:
        from dtui.tui.state.questions import AnomaliesQuestion, IncidentsQuestion

        if isinstance(event, Opened) and event.is_other:
            self.path, self.session = Path(event.view.path), session.with_run(event.view, event.said)
        elif isinstance(event, Opened):
            session.opened(event.view)
        elif isinstance(event, Quiet):
            session.quiet(event.seconds)
        elif isinstance(event, Failed) and event.about == "switch":
            session.refuse_run(event.message)
        elif isinstance(event, Failed):
            session.lost(event.line) if event.is_gone else session.fail(event.message, event.about)
        elif isinstance(event, Decided) and event.error:
            session.fail(event.error)
            self.loader.forget(AnomaliesQuestion)
            self.loader.forget(IncidentsQuestion)
        elif isinstance(event, Answered | Several):
            answers = event.answers if isinstance(event, Several) else (event,)
            session.answered_all((one.question, one.value) for one in answers)
            if session.rings and self._has_bell:
                self.bell()
            session.rings = False

    def _first_session(self, view: RunView) -> Session:
        """Return what shows the run first; called in the loader's thread, which imports what the screens need."""
        import dtui.tui.screens.base  # noqa: F401  the app's thread needs it next, and would stand still meanwhile
        from dtui.tui.panes.table import TABLE
        from dtui.tui.state.session import Session

        session = Session(self._table or TABLE, view, *self.size, link=self._link)
        if self._starts_in_list and session.table.runs is not None:
            session.choose(session.scene.with_pane(session.table.runs))
        return session

    async def _begin(self, session: Session) -> None:
        """Make the screens when there is something to show."""
        from dtui.tui.screens.base import DataScreen
        from dtui.tui.terminal.textual_patch import install

        install()
        self._output, self.session, table = output_for(*self._wishes), session, session.table
        session.resized(*self.size)
        self.take_pressed(session)
        self.data_screen = DataScreen(table, self.perform, self.use)
        self.data_screen.command_line.is_ascii = self.writes_ascii
        self._paint()
        await self.push_screen(self.data_screen)
        self.call_next(is_painted, self.data_screen)  # behind Textual's own last words on it
        await self.take_seen()
        self.set_timer(SETTLING_SECONDS, partial(self.loader.settle, self.keep_last))

    def _handle_exception(self, error: Exception) -> None:
        """Leave after an unexpected error with one line about it; the traceback is in the log."""
        if self.is_headless:
            super()._handle_exception(error)
            return
        LOG.error("the app failed", exc_info=error)
        if self._exit:
            return  # it ends already: a key that leaves may come while Textual still mounts what it then takes away
        self.error = DtuiError(f"{self.path}: the TUI failed ({type(error).__name__}: {error}); details: {log_path()}")
        self.exit()

    def on_must_leave(self, message: MustLeave) -> None:
        """End, because of a signal or because the terminal is gone."""
        if message.number is None and self.error is None:
            self.error = TerminalError(f"{self.path}: {message.reason}; details: {log_path()}")
        self.ended_by = self.ended_by or message.number
        self.exit()

    def action_interrupt(self) -> None:
        """Close what lies over the data (as Ctrl+C drops a line in a shell); if nothing does, leave."""
        if self.data_screen is not None and self.data_screen.is_mounted and self.data_screen.is_covered:
            self.data_screen.uncover()
        else:
            self.exit()

    # --- painting

    def paint(self) -> None:
        """Ask for missing data and show the data at hand, once whatever waits now has been taken: keys, answers.

        So a key that is held is drawn as often as there is time for, and the last place at once.
        """
        if not self._is_painting:
            self._is_painting = True
            self.call_later(self._paint)

    def _paint(self) -> None:
        self._is_painting = False
        session, screen = self.session, self.data_screen
        if session is None or self._output is None or screen is None:
            return
        scene, (pictures, questions) = session.scene, session.look(self.waiting)
        theme, output = self.theme_shown, self._output
        shown = {
            pane: (pictures[pane], scene.frame_of(pane, theme, output)) for pane in scene.stacked if pane in pictures
        }
        screen.show(shown, scene.size, None if session.view.is_empty else session.selection.cursor)
        self.loader.ask(questions, session.view.revision)
        if session.selection.run not in (None, session.view.path):
            self.loader.switch(Path(str(session.selection.run)))

    def on_resize(self, event: events.Resize) -> None:
        """Adapt to a new size, or to a terminal that something else has written on meanwhile."""
        forget_shown(self)
        if self.session is not None:
            self.session.resized(*event.size)
            self.paint()
        if self.data_screen is not None:
            self.data_screen.overlay.fit(self._whole(event.size))

    def _whole(self, size: Size) -> Frame:
        """Return the frame of what lies over the panes: all of the screen."""
        from dtui.tui.renderables.canvas.frame import Frame

        assert self._output is not None
        return Frame(*size, 0, None, self.theme_shown, self._output)

    def cover(self, box: Box, done: Callable[[int | None], None] | None = None) -> None:
        """Lay a box over the panes until it is closed; `done` gets the place of what was chosen, or None."""
        if self.data_screen is not None:
            self.data_screen.overlay.open(box, self._whole(self.size), done)

    # --- keys and mouse

    def perform(self, action: str) -> None:
        """Perform an action of the registry."""
        session = self.session
        if session is None:
            return
        self.note_key()
        self.has_acted = True
        choice = session.choice(action)
        if choice is not None:
            self.choose(session, choice)
        elif action in ("palette", "help", "search", "note", "export"):
            self.ask_for(action, session)
        elif action in ("back", "quit", "leave"):
            if action == "leave" or (not session.go_back() and action == "quit"):
                self.exit()
                return
        elif action == "suspend":
            self.action_suspend_process()
        elif action == "draw_anew":
            self.action_draw_anew()
        elif action == "copy_link":
            from dtui.tui.state.places.link import copied_words

            run = self.path.absolute()  # for whoever is in another folder
            self.copy_to_clipboard(link := session.link(run))
            session.fail(copied_words(link, run, self.size.width - 2))
        else:
            self.write_down(session.perform(action))
        self.paint()

    def write_down(self, decisions: tuple[Decision, ...]) -> None:
        """Have decisions written."""
        if decisions:
            self.loader.decide(decisions)

    def use(self, used: Used) -> None:
        """Handle a press, a drag or the wheel in a pane."""
        session, screen, pressed = self.session, self.data_screen, used.pressed
        if session is None or screen is None:
            return
        if screen.overlay.is_open:
            if pressed is not None and not pressed.is_drag:
                screen.overlay.close()
            return
        self.has_acted = True
        from dtui.tui.state.mouse import press, pressed_action, turn_wheel

        pane = screen.pane_called(used.pane)
        if pressed is None:
            turn_wheel(session, pane, used.wheel, used.with_control)
        elif not pressed.is_drag and (action := pressed_action(session, pane, used.frame, pressed.x)) is not None:
            self.perform(action) if action else self.paint()
            return
        else:
            press(session, pane, used.frame, pressed.x, pressed.y, pressed.is_drag)
        self.paint()
