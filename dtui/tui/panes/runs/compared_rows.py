"""The layers and the classes of two runs in pairs, below the head of the comparison."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from dtui.dataclass_on_use import dataclass
from dtui.model import TimeAxis
from dtui.model.compare import Comparison, Measure, PairedColumns, PairedRows
from dtui.tui.panes.rows import ListPane
from dtui.tui.panes.runs.comparing import STEPS, CompareOptions, Found, found_in, moment_of, value_of
from dtui.tui.renderables.panes.message import MessagePicture
from dtui.tui.renderables.panes.runs.compared_rows import ComparedRowsPicture
from dtui.tui.renderables.parts.picture import Picture
from dtui.tui.state.key_steps import cycling
from dtui.tui.state.numbers import Numbers, over_time
from dtui.tui.state.pane import Scene, Shows, Step
from dtui.tui.state.places.search import find_matches
from dtui.tui.state.questions import OthersQuestion, Question
from dtui.tui.state.selection import Selection

if TYPE_CHECKING:
    from dtui.query.compare.others import Others, Wanted

PAIRED_FROM = 10
"""Rows of a pane from which on a row shows both runs, or all of them do, unless a person chose otherwise."""


@dataclass(frozen=True, slots=True)
class LayerColumnsQuestion(OthersQuestion[Found[PairedColumns]]):
    """Some layers of both over an axis."""

    wanted: Wanted
    rows: tuple[int, ...]
    axis: TimeAxis
    about = "layers of both"

    def ask_others(self, others: Others) -> Found[PairedColumns]:
        """Return a row each."""
        from dtui.query.compare.pairs import columns_of

        return Found(self.wanted, columns_of(others.comparison(self.wanted).layers, self.rows, self.axis))


@dataclass(frozen=True, slots=True)
class ClassColumnsQuestion(OthersQuestion[Found[PairedColumns]]):
    """Some classes of both over an axis."""

    wanted: Wanted
    rows: tuple[int, ...]
    axis: TimeAxis
    about = "classes of both"

    def ask_others(self, others: Others) -> Found[PairedColumns]:
        """Return a row each."""
        from dtui.query.compare.pairs import columns_of

        return Found(self.wanted, columns_of(others.comparison(self.wanted).classes, self.rows, self.axis))


class LayerNowQuestion(LayerColumnsQuestion):
    """Their exact values at the cursor: the axis is one column of one iteration."""

    about = "layers of both at the cursor"


class ClassNowQuestion(ClassColumnsQuestion):
    """Their exact values at the cursor: the axis is one column of one iteration."""

    about = "classes of both at the cursor"


class ComparedRows(ListPane):
    """Paired rows; `CompareOptions.rows` has the name of the selected one."""

    is_searchable = True
    kind: ClassVar[str]
    question: ClassVar[type[Question[Found[PairedColumns]]]]
    question_now: ClassVar[type[Question[Found[PairedColumns]]]]
    bar = ((("entry_next", "entry_previous"), "divergence"), (("chart",), "both, distance"), (("sort",), "sort"))

    @property
    def steps(self) -> Mapping[str, Step]:
        """Go from divergence to divergence; change what is shown."""
        return {
            **STEPS,
            "chart": self._cycle_chart,
            "sort": cycling(CompareOptions, "by_distance", (True, False)),
            "statistic": cycling(CompareOptions, "measure", _measures),
            "statistic_back": cycling(CompareOptions, "measure", _measures, -1),
        }

    def of(self, found: Comparison) -> PairedRows:
        """Return the rows of this pane."""
        raise NotImplementedError

    def is_comparable(self, found: Comparison) -> bool:
        """Whether both runs have such rows, and moments that belong together."""
        return bool(self.of(found).names and len(self.of(found).keys))

    def is_paired(self, scene: Scene) -> bool:
        """Whether a row shows both runs."""
        chosen = scene.selection.get(CompareOptions).is_paired
        return self.height(scene) >= min(PAIRED_FROM, self.needed(scene)) if chosen is None else chosen

    def _cycle_chart(self, scene: Scene) -> Selection:
        options = scene.selection.get(CompareOptions)
        return scene.selection.put(replace(options, is_paired=not self.is_paired(scene)))

    def tall(self, scene: Scene) -> int:
        """Return 3, or 1."""
        return 3 if self.is_paired(scene) else 1

    def needed(self, scene: Scene) -> int:
        """Return the rows of all; none where nothing can be compared, which the head says then."""
        found = found_in(scene)
        if isinstance(found, str) or (found is not None and not self.is_comparable(found)):
            return 0
        return 1 + 3 * len(self.items(scene))

    def wanted(self, scene: Scene) -> Iterator[Question[Any]]:
        """Ask for the rows on the screen."""
        found = found_in(scene)
        if isinstance(found, Comparison) and self.height(scene) and self.items(scene):
            wanted = scene.selection.get(CompareOptions).wanted
            for question, axis in ((self.question, scene.axis), (self.question_now, moment_of(scene))):
                yield question(wanted, tuple(self.asked_for(scene)), axis)  # type: ignore[call-arg]

    def picture(self, scene: Scene) -> Picture:
        """Return the rows, or why there are none."""
        found = found_in(scene)
        if not isinstance(found, Comparison):
            return MessagePicture("", "", self.title)
        rows, items = self.of(found), self.items(scene)
        if not items:
            return MessagePicture(f"{self.title.lower()}: none in both runs", "", self.title)
        by_distance = scene.selection.get(CompareOptions).by_distance
        return ComparedRowsPicture(
            *(self.title, rows, tuple(items)),
            self.window(scene.selection).first,
            self.place(scene, items),
            value_of(scene, self.question),
            self.is_paired(scene),
            "farthest apart first" if by_distance else "in the order of the network",
            value_of(scene, self.question_now),
        )

    def numbers(self, scene: Scene) -> Numbers | None:
        """Return the rows on the screen over time: both, and how far apart they are."""
        found, columns = found_in(scene), value_of(scene, self.question)
        if not isinstance(found, Comparison) or columns is None or not columns.rows:
            return None
        rows = self.of(found)
        names = [f"{which} {rows.names[row]}" for row in columns.rows for which in ("A", "B", "distance")]
        series = [
            part[place] for place in range(len(columns.rows)) for part in (columns.a, columns.b, columns.distance)
        ]
        title = f"A {found.infos[0].run}, B {found.infos[1].run}: {rows.measure}"
        return over_time(title, columns.axis, names, series)

    # --- its rows

    def items(self, scene: Scene) -> Sequence[int]:
        """Return the row numbers in the order in which they are listed."""
        found = found_in(scene)
        if not isinstance(found, Comparison):
            return ()
        rows, search = self.of(found), scene.selection.search_of(self.name)
        if not self.is_comparable(found):
            return ()
        by_distance = scene.selection.get(CompareOptions).by_distance
        order = rows.order.tolist() if by_distance else list(range(len(rows.names)))
        if not search:
            return order
        matches = find_matches(search, rows.names)
        return [row for row in order if row in matches]

    def select(self, scene: Scene, row: int) -> Selection:
        """Return the selection on a row."""
        found, items = found_in(scene), self.items(scene)
        if not isinstance(found, Comparison) or not items:
            return scene.selection
        name = self.of(found).names[items[row]]
        return scene.selection.put(scene.selection.get(CompareOptions).at_row(self.kind, name))

    def place(self, scene: Scene, items: Sequence[int]) -> int:
        """Return the place of the selected row."""
        found, chosen = found_in(scene), dict(scene.selection.get(CompareOptions).rows).get(self.kind)
        if not isinstance(found, Comparison):
            return 0
        names = self.of(found).names
        return next((place for place, row in enumerate(items) if names[row] == chosen), 0)

    def is_foldable(self, scene: Scene) -> bool:
        """Whether there is a row to go to."""
        return bool(self.items(scene))


class ComparedLayers(ComparedRows):
    """The layers that both have."""

    name = "compared_layers"
    title = "Layers"
    kind = "layer"
    question = LayerColumnsQuestion
    question_now = LayerNowQuestion

    def of(self, found: Comparison) -> PairedRows:
        """Return the layers."""
        return found.layers

    def fold(self, scene: Scene, open_: bool | None) -> Selection:
        """Go to the layer in the tree of the open run."""
        found, items = found_in(scene), self.items(scene)
        if open_ is False or not isinstance(found, Comparison) or not items:
            return scene.selection
        name = found.layers.names[items[self.place(scene, items)]]
        node = next((node.index for node in scene.view.tree if node.layer is not None and node.name == name), None)
        return scene.selection if node is None else _shown_in(scene, Shows.LAYERS, scene.selection.changed(node=node))


class ComparedClasses(ComparedRows):
    """The classes that both have."""

    name = "compared_classes"
    title = "Classes"
    kind = "class"
    question = ClassColumnsQuestion
    question_now = ClassNowQuestion

    def of(self, found: Comparison) -> PairedRows:
        """Return the classes."""
        return found.classes

    def fold(self, scene: Scene, open_: bool | None) -> Selection:
        """Go to the class among the classes of the open run."""
        found, items = found_in(scene), self.items(scene)
        if open_ is False or not isinstance(found, Comparison) or not items:
            return scene.selection
        name = found.classes.names[items[self.place(scene, items)]]
        if name not in scene.view.classes:
            return scene.selection
        return _shown_in(scene, Shows.CLASSES, scene.selection.changed(class_index=scene.view.classes.index(name)))


def _shown_in(scene: Scene, what: Shows, selection: Selection) -> Selection:
    """Return a selection on the screen that shows layers or classes best, where there is one."""
    pane = next((one for one in scene.table.panes if one.shows is what), None)
    return scene.selection if pane is None else scene.at(selection).with_pane(pane)


def _measures(scene: Scene) -> tuple[object, ...]:
    found = found_in(scene)
    return found.measures if isinstance(found, Comparison) else tuple(Measure)
