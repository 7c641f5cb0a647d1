"""The runs pane: the runs of a folder, or those that were named; Enter opens one, = compares two."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from dtui.dataclass_on_use import dataclass
from dtui.model.compare import RunList, RunRow
from dtui.safe_text import safe
from dtui.tui.panes.rows import ListPane
from dtui.tui.panes.runs.comparing import begin_comparing
from dtui.tui.renderables.panes.message import MessagePicture
from dtui.tui.renderables.panes.runs.run_list import FOOTER, TITLE, RunsPicture, name_of
from dtui.tui.renderables.parts.picture import Picture
from dtui.tui.state.numbers import Numbers
from dtui.tui.state.pane import Scene, Step
from dtui.tui.state.places.search import find_matches
from dtui.tui.state.questions import OthersQuestion, Question
from dtui.tui.state.review.entry_steps import select_strongest
from dtui.tui.state.selection import Selection

if TYPE_CHECKING:
    from dtui.query.compare.others import Others

ERRORS = ("validation_error", "train_error", "loss")


@dataclass(frozen=True, slots=True)
class RunsOptions:
    """The choices of this pane; they stay when another run is opened.

    Attributes:
        path: Of the selected run; "" for the open one.
        marked: Paths of marked runs, in the order of marking.
    """

    path: str = ""
    marked: tuple[str, ...] = ()
    is_of_all_runs: ClassVar[bool] = True


@dataclass(frozen=True, slots=True)
class RunsQuestion(OthersQuestion[RunList]):
    """The list of runs, with one row more than are read."""

    ready: int
    about = "runs"

    def ask_others(self, others: Others) -> RunList:
        """Return the list."""
        return others.rows(self.ready)


@dataclass(frozen=True, slots=True)
class RunNamesQuestion(OthersQuestion[tuple[str, ...]]):
    """The paths of the runs, so that they can be gone to by name."""

    about = "names of runs"

    def ask_others(self, others: Others) -> tuple[str, ...]:
        """Return them."""
        return others.names()


class Runs(ListPane):
    """One row a run; rows are read one after the other."""

    name = "runs"
    title = TITLE
    has_time = False
    needs_records = False
    is_searchable = True
    bar = ((("fold_toggle",), "open"), (("compare",), "compare"), (("mark",), "mark"))

    @property
    def steps(self) -> Mapping[str, Step]:
        """Compare two runs."""
        return {"compare": self.compare}

    # --- what it shows

    def wanted(self, scene: Scene) -> Iterator[Question[Any]]:
        """Ask for the list, row by row."""
        known = scene.answers.get(RunsQuestion)
        yield RunsQuestion(known.ready if known is not None else 0)

    def wanted_elsewhere(self, scene: Scene) -> Iterator[Question[Any]]:
        """Ask for the names."""
        yield RunNamesQuestion()

    def picture(self, scene: Scene) -> Picture:
        """Return the list."""
        known = scene.answers.get(RunsQuestion)
        if known is None:
            return MessagePicture("Looking for runs …", "", self.title)
        rows = tuple(self.items(scene))
        if not rows:
            search = safe(scene.selection.search_of(self.name), 40)
            return MessagePicture(f"No run matches /{search}", "Esc ends the search", self.title)
        options = scene.selection.get(RunsOptions)
        top, row = self.window(scene.selection).first, self.place(scene, rows)
        shown = replace(known, rows=rows)
        return RunsPicture(shown, top, row, frozenset(options.marked), scene.view.path)

    def numbers(self, scene: Scene) -> Numbers | None:
        """Return the rows that are read."""
        rows = [row for row in self.items(scene) if row.is_read]
        known = scene.answers.get(RunsQuestion)
        if known is None or not rows:
            return None
        table = []
        for row in rows:
            info, counts = row.info, row.incidents or {}
            told = (
                [None] * 5 if info is None else [str(info.status), info.last_iteration, info.records, info.validations]
            )
            table.append(
                [
                    *(name_of(row), row.path, *told[:4], *(row.last.get(name) for name in ERRORS)),
                    *(counts.get("new", 0), counts.get("flagged", 0), row.bytes or None, row.error),
                    "; ".join(f"{name} {value}" for name, value in known.differing(row.path)),
                ]
            )
        columns = ("run", "path", "status", "last iteration", "records", "validations", *ERRORS)
        return Numbers("runs", (*columns, "new", "flagged", "bytes", "error", "what differs"), table)

    def needed(self, scene: Scene) -> int:
        """Return the rows of the whole list."""
        return 1 + max(1, self.rows(scene)) + FOOTER

    # --- its rows

    def items(self, scene: Scene) -> Sequence[RunRow]:
        """Return the runs that the search finds, or all."""
        known, search = scene.answers.get(RunsQuestion), scene.selection.search_of(self.name)
        if known is None:
            return ()
        found = find_matches(search, [name_of(row) for row in known.rows])
        return [row for place, row in enumerate(known.rows) if place in found] if search else known.rows

    def shown(self, scene: Scene) -> int:
        """Return the rows that are visible at once."""
        return max(1, self.height(scene) - 1 - FOOTER)

    def select(self, scene: Scene, row: int) -> Selection:
        """Return the selection on a run."""
        rows = self.items(scene)
        if not rows:
            return scene.selection
        return scene.selection.put(replace(scene.selection.get(RunsOptions), path=rows[row].path))

    def place(self, scene: Scene, items: Sequence[RunRow]) -> int:
        """Return the row of the selected run."""
        path = scene.selection.get(RunsOptions).path or scene.view.path
        return next((place for place, row in enumerate(items) if row.path == path), 0)

    def is_foldable(self, scene: Scene) -> bool:
        """Whether there is a run to open."""
        return bool(self.items(scene))

    def fold(self, scene: Scene, open_: bool | None) -> Selection:
        """Open the selected run on the first screen."""
        row = self._selected(scene)
        return scene.selection if row is None or open_ is False else _opened_first(scene, row.path)

    def mark(self, scene: Scene) -> Selection:
        """Mark the selected run, or no longer, and go on to the next row. Of three marks the first goes."""
        row, options = self._selected(scene), scene.selection.get(RunsOptions)
        if row is None:
            return scene.selection
        marked = tuple(path for path in options.marked if path != row.path)
        if len(marked) == len(options.marked):
            marked = (*marked, row.path)[-2:]
        scene = scene.at(scene.selection.put(replace(options, path=row.path, marked=marked)))
        return self.select(scene, min(self.place(scene, self.items(scene)) + 1, self.rows(scene) - 1))

    def compare(self, scene: Scene) -> Selection:
        """Compare the two marked runs, or the open one with the marked or selected one."""
        pair = self._pair(scene)
        if pair is None:
            return scene.selection
        first, second = pair
        selection = begin_comparing(scene, second)
        return opened(scene.at(selection), first)

    def _pair(self, scene: Scene) -> tuple[str, str] | None:
        marked = scene.selection.get(RunsOptions).marked
        if len(marked) == 2:
            return marked[0], marked[1]
        rows = self.items(scene)
        place = self.place(scene, rows)
        near = [one.path for one in (*marked_rows(rows, marked), *rows[place:], *reversed(rows[:place]))]
        other = next((path for path in near if path != scene.view.path), None)
        return None if other is None else (scene.view.path, other)

    def _selected(self, scene: Scene) -> RunRow | None:
        rows = self.items(scene)
        return rows[self.place(scene, rows)] if rows else None

    # --- what changes around it

    def begin(self, scene: Scene) -> Selection:
        """Mark the runs that were named, if there are two."""
        options = scene.selection.get(RunsOptions)
        if len(scene.view.given) != 2 or options.path:
            return scene.selection
        return scene.selection.put(replace(options, path=scene.view.given[1], marked=scene.view.given))

    def said(self, before: Selection, scene: Scene) -> str:
        """Say how many runs are marked."""
        marked = scene.selection.get(RunsOptions).marked
        if marked == before.get(RunsOptions).marked:
            return ""
        return ("no run marked", "1 run marked: = compares it with the open one", "2 runs marked: = compares them")[
            len(marked)
        ]

    def choices(self, scene: Scene) -> Iterator[tuple[str, str, Step]]:
        """Offer to open each run, and to compare with it."""
        known = scene.answers.get(RunsQuestion)
        names = scene.answers.get(RunNamesQuestion) or ()
        paths = names if known is None else tuple(row.path for row in known.rows)
        for path in paths:
            name = name_of(RunRow(path))
            yield f"run {name}", "Open this run.", partial(_opened_first, path=path)
            if path != scene.view.path:
                step = partial(begin_comparing, other=path)
                yield f"compare with {name}", "Where this run and the open one part.", step


def marked_rows(rows: Sequence[RunRow], marked: tuple[str, ...]) -> list[RunRow]:
    """Return the rows of marked runs."""
    return [row for row in rows if row.path in marked]


def _opened_first(scene: Scene, path: str) -> Selection:
    """Return the selection with another run to be shown, on the first screen."""
    selection = opened(scene.at(scene.selection.on_screen(0)), path)
    return select_strongest(scene.at(selection)) if path == scene.view.path else selection


def opened(scene: Scene, path: str) -> Selection:
    """Return the selection with another run to be shown; it is opened by the app."""
    return scene.selection.changed(run=None if path == scene.view.path else path)
