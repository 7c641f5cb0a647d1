"""What the panes of the correlation and of the cube share: the grid of incidents, and which cell of it is picked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from dtui.dataclass_on_use import dataclass
from dtui.model.cube import GridCell, IncidentGrid, RowKind
from dtui.model.findings.review import Entry
from dtui.model.judging import as_groups
from dtui.model.relations import CHANGES, FilterChoice
from dtui.model.statistics import title_of
from dtui.number_text import counted
from dtui.query import RunQuery
from dtui.query.relations.cube import ORDERS, rows_of_incident
from dtui.tui.renderables.panes.correlation import GridLook
from dtui.tui.renderables.panes.message import MessagePicture
from dtui.tui.renderables.parts.grid.cells import row_words
from dtui.tui.state.actions import BarItem
from dtui.tui.state.key_steps import cycling
from dtui.tui.state.navigate import shown
from dtui.tui.state.numbers import Numbers
from dtui.tui.state.pane import Pane, Scene, Shows, Step
from dtui.tui.state.questions import Question
from dtui.tui.state.selection import Selection

COUNTS = (5, 10, 20, 50)
MOST_SENTENCES = 4
ORDER_WORDS = dict(zip(ORDERS, ("by class", "by time", "most filters first"), strict=True))
RowKey = tuple[RowKind, int | None]


@dataclass(frozen=True, slots=True)
class GridOptions:
    """The choices of the correlation and the cube.

    Attributes:
        row: The picked row; None before one was picked.
        row_for: The selected class when it was picked: another class selected elsewhere picks its own row.
        order: Of ORDERS.
        statistic: Of CHANGES.
        count: Of COUNTS: most filters at an incident.
        least: Least importance of the mini-sets that are drawn.
        is_detailed: Whether mini-sets are drawn.
    """

    row: RowKey | None = None
    row_for: int | None = None
    order: str = ORDERS[0]
    statistic: str = CHANGES[0]
    count: int = 10
    least: int = 1
    is_detailed: bool = False

    @property
    def choice(self) -> FilterChoice:
        """Which filters count."""
        return FilterChoice(self.statistic, self.count)


@dataclass(frozen=True, slots=True)
class GridQuestion(Question[IncidentGrid]):
    """The grid of all incidents but the dismissed ones."""

    choice: FilterChoice
    order: str
    dismissed: frozenset[str]
    about = "grid of incidents"

    def prepare(self, query: RunQuery, seconds: float) -> bool:
        """Look for incidents."""
        return query.prepare_incidents(seconds)

    def ask(self, query: RunQuery) -> IncidentGrid:
        """Return it."""
        return query.incident_grid(self.choice, self.order)


@dataclass(frozen=True, slots=True)
class CellQuestion(Question[GridCell | None]):
    """A cell of that grid in detail; None if it has no such row any more."""

    grid: GridQuestion
    row: int
    layer: int
    about = "cell of the grid"

    def ask(self, query: RunQuery) -> GridCell | None:
        """Return it."""
        grid = self.grid.ask(query)
        return query.grid_cell(grid, self.row, self.layer) if self.row < len(grid.rows) else None


class GridPane(Pane):
    """A pane about the grid: its row is a row of the grid, its layer that of `Selection.node`."""

    @property
    def steps(self) -> Mapping[str, Step]:
        """Step through what is shown."""
        return {
            "sort": cycling(GridOptions, "order", ORDERS),
            "statistic": cycling(GridOptions, "statistic", _changes),
            "statistic_back": cycling(GridOptions, "statistic", _changes, -1),
            "rows_more": cycling(GridOptions, "count", COUNTS),
            "rows_fewer": cycling(GridOptions, "count", COUNTS, -1),
        }

    def keys(self, scene: Scene) -> Sequence[BarItem]:
        """Return its keys; without a grid none of them does anything."""
        return self.bar if self.rows(scene) else ()

    # --- what it shows

    def grid(self, scene: Scene) -> IncidentGrid | None:
        """Return the grid at hand; None while it loads."""
        return scene.answers.get(GridQuestion)

    def question(self, scene: Scene) -> GridQuestion:
        """Return what asks for the grid."""
        options = scene.selection.get(GridOptions)
        gone = frozenset(one.id for one in scene.view.incidents if one.status == "dismissed")
        return GridQuestion(options.choice, options.order, gone)

    def wanted(self, scene: Scene) -> Iterator[Question[Any]]:
        """Ask for the grid once the incidents are known, and for the picked cell."""
        if not self.height(scene) or not scene.view.knows_incidents:
            return
        yield self.question(scene)
        grid = self.grid(scene)
        if grid is not None and grid.rows:
            yield CellQuestion(self.question(scene), self.grid_row(scene), self.layer(scene))

    def nothing(self, scene: Scene) -> MessagePicture:
        """Return what is shown without a grid."""
        if self.grid(scene) is None:
            return MessagePicture("Looking for incidents …", "the detectors read the whole run once", self.title)
        words = "No incident, so there is nothing to correlate"
        hint = "rows are classes with incidents; 2 shows all layers, 3 all classes"
        return MessagePicture(words, as_groups(hint, scene.view.info.judging), self.title)

    def look(self, scene: Scene, grid: IncidentGrid) -> GridLook:
        """Return names and words."""
        options, view = scene.selection.get(GridOptions), scene.view
        by_id = {one.id: one for one in view.incidents}
        row, layer = self.grid_row(scene), self.layer(scene)
        events = grid.events_of(row, layer) or grid.rows[row].events
        ids = dict.fromkeys(grid.found.events[event].id for event in events)
        found = [by_id[one].sentence for one in ids if one in by_id]
        order = as_groups(ORDER_WORDS[options.order], view.info.judging)
        return GridLook(
            names=tuple(row_words(one, view.classes, view.info.judging) for one in grid.rows),
            layers=layer_names(scene),
            title=f"{counted(options.count, 'filter')} of largest {title_of(options.statistic)}",
            sentences=tuple(found[:MOST_SENTENCES]),
            more=(" at each incident", f" · {order}"),
        )

    def numbers(self, scene: Scene) -> Numbers | None:
        """Return the anomaly filters of each row in each layer."""
        grid = self.grid(scene)
        if grid is None or not grid.rows:
            return None
        look = self.look(scene, grid)
        rows = [(name, *counts) for name, counts in zip(look.names, grid.counts.tolist(), strict=True)]
        return Numbers(
            f"anomaly filters: {look.title}", (as_groups("class", scene.view.info.judging), *look.layers), rows
        )

    def choices(self, scene: Scene) -> Iterator[tuple[str, str, Step]]:
        """Offer the orders of the classes."""
        for order, words in ORDER_WORDS.items():
            step = cycling(GridOptions, "order", (order,))
            said = (f"{self.title.lower()}: classes {words}", "Order the classes with incidents.")
            name, about = (as_groups(line, scene.view.info.judging) for line in said)
            yield name, about, step

    def linked(self, scene: Scene) -> Mapping[str, Any]:
        """Return the picked layer, and the class of the picked row."""
        grid, view, names = self.grid(scene), scene.view, layer_names(scene)
        if grid is None or not grid.rows or not names:
            return {}
        label = grid.rows[self.grid_row(scene)].label
        is_told_apart = label is not None and view.classes.count(view.classes[label]) == 1
        chosen = {} if label is None else {"class_name": view.classes[label] if is_told_apart else label}
        return {"layer": names[self.layer(scene)], **chosen}

    # --- its rows and layers

    def rows(self, scene: Scene) -> int:
        """Return the rows of the grid."""
        grid = self.grid(scene)
        return 0 if grid is None else len(grid.rows)

    def row(self, scene: Scene) -> int:
        """Return the picked row of the grid."""
        return self.grid_row(scene)

    def grid_row(self, scene: Scene) -> int:
        """Return the picked row: that of the selected class, unless another one was picked since."""
        grid, selection = self.grid(scene), scene.selection
        options = selection.get(GridOptions)
        keys = [] if grid is None else [(row.kind, row.label) for row in grid.rows]
        chosen = options.row if options.row_for == selection.class_index else None
        for key in (chosen, (RowKind.CLASS, selection.class_index), options.row):
            if key in keys:
                return keys.index(key)
        return 0

    def layer(self, scene: Scene) -> int:
        """Return the index of the selected layer; of a module its first."""
        tree, node = scene.view.tree, scene.selection.node
        return tree[node].layers[0] if node < len(tree) else 0

    def select(self, scene: Scene, row: int) -> Selection:
        """Return the selection on a row, with its class, and its incident in the picked layer."""
        return self.picked(scene, row, self.layer(scene))

    def picked(self, scene: Scene, row: int, layer: int) -> Selection:
        """Return the selection on a cell: its class, layer, and the iteration of its first incident."""
        grid = self.grid(scene)
        if grid is None or not grid.rows:
            return scene.selection
        selection = with_row(with_layer(scene, layer), grid, row)
        events = grid.events_of(row, layer) or grid.rows[row].events
        event = grid.found.events[events[0]]
        return shown(selection.changed(entry=event.id).with_cursor(event.iteration), scene)

    def is_foldable(self, scene: Scene) -> bool:
        """Whether there is a place to go to."""
        return self.rows(scene) > 0

    def fold(self, scene: Scene, open_: bool | None) -> Selection:
        """Go to the filters of the picked layer, with the strongest filter and its iteration selected."""
        if open_ is False or not self.rows(scene):
            return scene.selection
        at, filters = self._strongest(scene)
        scene = scene.at(scene.selection.with_cursor(at))
        there = next((pane for pane in scene.table.panes if pane.shows is Shows.FILTERS), None)
        if there is None:
            return scene.selection
        scene = scene.at(with_layer(scene, self.layer(scene), filters))
        return shown(scene.with_pane(there), scene)

    def _strongest(self, scene: Scene) -> tuple[int, tuple[int, ...]]:
        """Return iteration and filters to go to: those that the selected incident names, or the most unusual one."""
        layer = self.layer(scene)
        entry, cell = scene.view.find_entry(scene.selection.entry), scene.answers.get(CellQuestion)
        if entry is not None and entry.filters and entry.layer == layer_names(scene)[layer]:
            return entry.iteration, entry.filters
        is_here = cell is not None and (cell.row, cell.layer) == (self.grid_row(scene), layer)
        strongest = cell.strongest if cell is not None and is_here else None
        if strongest is None:
            return scene.selection.cursor, ()
        return strongest[0].iteration, (strongest[1].filter,)

    def show(self, scene: Scene, entry: Entry) -> Selection:
        """Pick the row of an incident; on this screen also the layer with most of its filters, if it names none."""
        if entry.incident is None:
            return scene.selection
        key = rows_of_incident(entry.incident)[0]
        options = replace(scene.selection.get(GridOptions), row=key, row_for=scene.selection.class_index)
        scene = scene.at(scene.selection.put(options))
        return self._on_its_layer(scene, self.grid(scene)) if self in scene.screen.panes else scene.selection

    def answered(self, scene: Scene, question: Question[Any], answer: Any) -> Selection:
        """Pick the layer with most filters of the selected incident, when the first grid arrives."""
        is_first = isinstance(question, GridQuestion) and self.grid(scene) is None and self in scene.screen.panes
        return self._on_its_layer(scene, answer) if is_first else scene.selection

    def _on_its_layer(self, scene: Scene, grid: IncidentGrid | None) -> Selection:
        entry = scene.view.find_entry(scene.selection.entry)
        events = (
            [] if grid is None else [e for e, one in enumerate(grid.found.events) if one.id == scene.selection.entry]
        )
        if grid is None or entry is None or entry.layers or not events:
            return scene.selection
        here = grid.filters[events[0]]
        return scene.selection if not here.any() or here[self.layer(scene)] else with_layer(scene, int(here.argmax()))


def with_row(selection: Selection, grid: IncidentGrid, row: int) -> Selection:
    """Return the selection with a row picked; a row of a class selects the class too."""
    one = grid.rows[max(0, min(row, len(grid.rows) - 1))]
    label = one.label if one.kind is RowKind.CLASS else selection.class_index
    options = replace(selection.get(GridOptions), row=(one.kind, one.label), row_for=label)
    return selection.changed(class_index=label).put(options)


def with_layer(scene: Scene, layer: int, filters: tuple[int, ...] = ()) -> Selection:
    """Return the selection on a layer, and on the first of some filters of it, in every pane that shows them."""
    at = scene.selection.cursor
    place = Entry("", at, at, "", "", (layer_names(scene)[layer],), filters, (), 0.0)
    return scene.through(lambda pane, scene: pane.show(scene, place))


def layer_names(scene: Scene) -> tuple[str, ...]:
    """Return the names of all layers by index; data from outside."""
    return tuple(
        name for _, name in sorted((node.layer, node.name) for node in scene.view.tree if node.layer is not None)
    )


def moving_layers(pane: GridPane, by: int) -> Step:
    """Return a step to the layer `by` places on."""
    return partial(_move_layer, pane=pane, by=by)


def _move_layer(scene: Scene, pane: GridPane, by: int) -> Selection:
    layers = len(layer_names(scene))
    return pane.picked(scene, pane.grid_row(scene), max(0, min(layers - 1, pane.layer(scene) + by)))


def _changes(scene: Scene) -> tuple[str, ...]:
    return tuple(name for name in CHANGES if name in scene.view.filter_statistics)
