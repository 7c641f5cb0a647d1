"""Defines panes, and the Scene: all that they may look at."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import field, replace
from enum import Enum
from functools import cached_property
from typing import Any, ClassVar, TypeVar

from dtui.dataclass_on_use import dataclass
from dtui.model import TimeAxis
from dtui.model.findings.review import Entry
from dtui.tui.renderables.canvas.frame import Frame
from dtui.tui.renderables.canvas.output import Output
from dtui.tui.renderables.canvas.theme import Theme
from dtui.tui.renderables.parts.picture import Picture
from dtui.tui.state.actions import Action, BarItem
from dtui.tui.state.choice import Choice
from dtui.tui.state.numbers import Numbers
from dtui.tui.state.places.remark import Remark
from dtui.tui.state.questions import Answers, Question
from dtui.tui.state.run_view import RunView, time_axis
from dtui.tui.state.screens import table as screens
from dtui.tui.state.screens.layout import LEAST_ROWS, Layout, divide
from dtui.tui.state.selection import RowWindow, Selection

LOG = logging.getLogger(__name__)
SaidT = TypeVar("SaidT")


class Shows(Enum):
    """What an entry of the review is about, and a pane shows best."""

    LAYERS = 1
    FILTERS = 2
    CLASSES = 3


class Pane:
    """A part of the screen: its questions, its picture, and what its keys and the mouse select. It has no state.

    It reads only the Scene; what the user changes goes into the Selection. Panes with rows are in `panes/rows.py`.
    """

    name: ClassVar[str]  # what its widget and its rows in the Selection are called; used by nobody else
    title: ClassVar[str] = ""  # what its header says
    actions: ClassVar[tuple[Action, ...]] = ()
    """Those that no other pane and no screen has: each has a step."""
    bar: ClassVar[tuple[BarItem, ...]] = ()
    """What the key bar says about it, most important first."""
    is_searchable: ClassVar[bool] = False  # whether it has names; it heeds `Selection.search_of(self.name)` then
    fixed_rows: ClassVar[int | None] = None  # its rows on every screen; None where the layout divides them
    fewest_rows: ClassVar[int] = 0  # 0 where it has a share of the screen; else it gets what others leave, if so much
    needs_records: ClassVar[bool] = True  # whether it has nothing to show in a run that holds nothing
    shows: ClassVar[Shows | None] = None  # what it is the first place to look at for
    has_time: ClassVar[bool] = True  # whether its columns are those of the time axis
    lists_entries: ClassVar[bool] = False  # whether it says which entries are reviewed
    leads: ClassVar[str] = ""  # the part of a link that leads to its screen where the link names none

    @property
    def steps(self) -> Mapping[str, Step]:
        """Its steps, by action. The pane with the keyboard is asked first, then the others on the screen."""
        return {}

    def keys(self, scene: Scene) -> Sequence[BarItem]:
        """Return what the key bar says now: `bar`, without keys that do nothing on what is selected."""
        return self.bar

    # --- what it shows

    def is_shown(self, scene: Scene) -> bool:
        """Whether it has a place on the screen."""
        return not scene.layout.is_too_small and not (self.needs_records and scene.view.is_empty)

    def height(self, scene: Scene) -> int:
        """Return its height in rows on the screen that shows it; 0 if it is hidden."""
        return scene.rows_for(self) if self.fixed_rows is None else self.fixed_rows

    def needed(self, scene: Scene) -> int:
        """Return the most rows that it can fill, with its header. The last pane of a screen gets the remaining rows."""
        return scene.size[1]

    def beside(self, scene: Scene) -> int:
        """Return the columns that it needs right of the time axis; every pane of the screen leaves them."""
        return 0

    def wanted(self, scene: Scene) -> Iterable[Question[Any]]:
        """Return the questions that it needs, the most important first."""
        return ()

    def wanted_elsewhere(self, scene: Scene) -> Iterable[Question[Any]]:
        """Return the questions that its choices need while it is not on the screen; only the list of runs has any."""
        return ()

    def picture(self, scene: Scene) -> Picture:
        """Return its picture."""
        raise NotImplementedError

    # --- its rows

    def rows(self, scene: Scene) -> int:
        """Return the number of rows, visible or not."""
        return 0

    def window(self, selection: Selection) -> RowWindow:
        """Return the window of its rows."""
        return selection.rows_of(self.name)

    def row(self, scene: Scene) -> int:
        """Return the selected row."""
        return self.window(scene.selection).row

    def select(self, scene: Scene, row: int) -> Selection:
        """Return the selection on a row. The row is >= 0, and exists if the pane has any rows."""
        return scene.selection

    def step(self, scene: Scene) -> int:
        """Return the rows that a key moves by."""
        return 1

    def page(self, scene: Scene) -> int:
        """Return the steps that a page key moves by."""
        return 1

    def row_at(self, scene: Scene, y: int) -> int | None:
        """Return the row that is drawn in row `y` of the pane; None for its header and where there is none."""
        return None

    def is_foldable(self, scene: Scene) -> bool:
        """Whether the selected row can be opened and closed."""
        return False

    def fold(self, scene: Scene, open_: bool | None) -> Selection:
        """Return the selection with the selected row opened, closed, or toggled (None).

        Closing a row that cannot be closed goes to its parent; opening an open row goes into it.
        """
        return scene.selection.changed(pane=0) if open_ is False else scene.selection

    # --- links

    def linked(self, scene: Scene) -> Mapping[str, Any]:
        """Return what a link to its screen says beyond the selected layer or class, by the names of `Link`."""
        return {}

    def follow(self, scene: Scene, place: Mapping[str, Any]) -> tuple[Selection, Remark | None]:
        """Return the selection on the parts of a link that it knows of, and what is not there; None for nothing."""
        return scene.selection, None

    # --- what changes around it

    def begin(self, scene: Scene) -> Selection:
        """Return the first selection, when the run has something to show."""
        return scene.selection

    def mark(self, scene: Scene) -> Selection:
        """Return the selection with the selected row marked, or no longer; by default Space is as good as Enter."""
        return self.fold(scene, None)

    def mark_alike(self, scene: Scene) -> Selection:
        """Return the selection with all rows marked that are like the selected one; with none, if they are marked."""
        return scene.selection

    def show(self, scene: Scene, entry: Entry) -> Selection:
        """Return the selection with the entry's layer, filter or class selected and in view."""
        return scene.selection

    def answered(self, scene: Scene, question: Question[Any], answer: Any) -> Selection:
        """Return the selection for a new answer; the scene still holds the answers before it."""
        return scene.selection

    def settle(self, scene: Scene) -> Selection:
        """Return the nearest valid selection, with the selected row on the screen."""
        return scene.selection

    def said(self, before: Selection, scene: Scene) -> str:
        """Return a message about a change of options that is not visible otherwise; "" for none."""
        return ""

    def led(self, before: Scene, now: Selection) -> str:
        """Return what is to be said where a key has led from it to another screen; "" for nothing."""
        return ""

    def press(self, scene: Scene, frame: Frame, x: int, y: int) -> Selection | None:
        """Return the selection for a press on a part that is neither row nor time; None if there is no such part."""
        return None

    def action_at(self, scene: Scene, frame: Frame, x: int) -> str | None:
        """Return the action that a press on a column asks for; None for none. Only the key bar has any."""

    def numbers(self, scene: Scene) -> Numbers | None:
        """Return what it shows as a table, for a file; None if it has no numbers."""
        return None

    def choice(self, scene: Scene, action: str) -> Choice | None:
        """Return the list that an action opens for a person to choose from; None if it opens none."""
        return None

    def choices(self, scene: Scene) -> Iterator[tuple[str, str, Step]]:
        """Yield the entries of the command palette other than actions: words, help, and the step."""
        yield from ()


Screen = screens.Screen[Pane]
"""One line of the table of screens."""
Table = screens.Table[Pane]
"""All lines, and the panes above and below those of each."""


def _log_only(pane: Pane, error: Exception) -> None:
    """Do nothing: the log has the error already."""


@dataclass(frozen=True, eq=False)
class Scene:
    """Everything that a pane may read, and that decides what a key does."""

    table: Table
    selection: Selection
    view: RunView
    answers: Answers
    size: tuple[int, int]
    message: str = ""
    can_undo: bool = False
    """Whether a decision was made that can be taken back."""
    tell: Callable[[Pane, Exception], None] = field(default=_log_only)
    """Called with a pane that raised."""
    _found: dict[str, Any] = field(default_factory=dict, init=False)

    @property
    def parts(self) -> tuple[object, ...]:
        """What it was made of, by which it is known."""
        return self.table, self.selection, self.view, self.answers, self.size, self.message, self.can_undo

    def at(self, selection: Selection) -> Scene:
        """Return the scene with another selection; itself, with what it has found out, if it is the same."""
        return self if selection is self.selection else replace(self, selection=selection)

    def once(self, name: str, find: Callable[[], SaidT]) -> SaidT:
        """Return what was found under a name the first time that it was looked for in this scene."""
        if name not in self._found:
            self._found[name] = find()
        found: SaidT = self._found[name]
        return found

    @property
    def screen(self) -> Screen:
        """The current screen."""
        return self.table.every_screen[self.selection.screen]

    @property
    def stacked(self) -> tuple[Pane, ...]:
        """The panes that may be on the screen, from the top."""
        return (*self.table.above, *self.screen.panes, *self.table.below)

    @property
    def entries(self) -> tuple[Entry, ...]:
        """What people review, in the order of the review; empty until the detectors have answered."""
        return self.view.entries.get(self.selection.listing, ())

    @property
    def pane(self) -> Pane:
        """The pane with the keyboard."""
        panes = self.screen.panes
        return panes[min(self.selection.pane, len(panes) - 1)]

    @cached_property
    def layout(self) -> Layout:
        """How the screen is divided."""
        asked = (self.asked(pane, lambda pane, scene: pane.needed(scene)) for pane in self.screen.panes)
        needed = [LEAST_ROWS if rows is None else rows for rows in asked]  # one that raises says so
        maximised = self.screen.panes.index(self.pane) if self.selection.maximised else None
        right = max(self.asked(pane, lambda pane, scene: pane.beside(scene)) or 0 for pane in self.screen.panes)
        fewest = [pane.fewest_rows for pane in self.screen.panes]
        return replace(divide(*self.size, needed, maximised, self.screen.is_wide, fewest), right=right)

    @cached_property
    def axis(self) -> TimeAxis:
        """The one time axis of the screen."""
        return time_axis(self.selection, self.view, self.layout.columns)

    def rows_for(self, pane: Pane) -> int:
        """Return the height of a pane on the screen that has it; 0 if it is hidden."""
        if pane in self.screen.panes:
            return self.layout.panes[self.screen.panes.index(pane)]
        place = self.table.place_of(pane)
        return 0 if place is None else self._elsewhere(place[0]).rows_for(pane)

    def _elsewhere(self, screen: int) -> Scene:
        """Return the scene on another screen."""
        there = self.selection.changed(screen=screen, maximised=False)
        return self.once(f"screen {screen}", lambda: self.at(there))

    def frame_of(self, pane: Pane, theme: Theme, output: Output) -> Frame:
        """Return the frame of a pane: its rows on the screen and the time axis."""
        layout, axis = self.layout, None if self.view.is_empty else self.axis
        height = self.asked(pane, lambda pane, scene: pane.height(scene)) or 0
        return Frame(layout.width, height, layout.gutter, axis, theme, output, pane is self.pane, layout.right)

    def with_pane(self, pane: Pane) -> Selection:
        """Return the selection in another pane, on the screen that has it."""
        if pane in self.screen.panes:
            return self.selection.changed(pane=self.screen.panes.index(pane))
        place = self.table.place_of(pane)
        if place is None:
            return self.selection
        if place[0] >= len(self.table.screens):
            return self.opened(self.table.every_screen[place[0]].name)
        return self.selection.changed(screen=place[0], pane=place[1], came_from=())

    def opened(self, name: str) -> Selection:
        """Return the selection on an inner screen, which remembers from where it was opened: Esc goes back one by one.

        Raises:
            KeyError: There is no inner screen of that name.
        """
        places = {screen.name: place for place, screen in enumerate(self.table.every_screen) if not screen.key}
        here, place = self.selection, places[name]
        way = [*here.came_from, (here.screen, here.pane)] if here.screen != place else [*here.came_from]
        before = next((n for n, (screen, _) in enumerate(way) if screen == place), len(way))
        return here.changed(screen=place, pane=0, maximised=False, came_from=tuple(way[:before]))

    def step_of(self, action: str) -> Step | None:
        """Return the step of an action, if a pane of this screen understands it; else None."""
        panes = (self.pane, *self.screen.panes, *self.table.above)
        found = (self.asked(pane, lambda pane, _: pane.steps) or {} for pane in panes)
        return next((steps[action] for steps in found if action in steps), None)

    def asked(self, pane: Pane, do: Callable[[Pane, Scene], SaidT]) -> SaidT | None:
        """Return a pane's answer; None if the pane raises. The error is reported and does not affect other panes."""
        try:
            return do(pane, self)
        except Exception as error:
            LOG.exception("the pane %r failed", pane.name)
            self.tell(pane, error)
            return None

    def through(self, do: Callable[[Pane, Scene], Selection], panes: Sequence[Pane] = ()) -> Selection:
        """Return the selection after each of some panes, or of all in the order of the table, has changed it."""
        scene = self
        for pane in panes or self.table.panes:
            scene = scene.at(scene.asked(pane, do) or scene.selection)
        return scene.selection


Step = Callable[[Scene], Selection]
"""From what is so to what is selected next."""
