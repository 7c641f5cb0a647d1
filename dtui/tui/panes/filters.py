"""The filters pane: a row of pixels for each filter of the selected layer or module."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from dtui.model import Heatmap, HeatmapRequest
from dtui.model.review import Entry
from dtui.model.statistics import FILTERS, Drawn, title_of
from dtui.query import RunQuery
from dtui.tui.panes.rows import PixelPane, pixels_of
from dtui.tui.renderables.panes.filters import TITLE, FiltersLook, FiltersPicture, place_of
from dtui.tui.renderables.panes.message import MessagePicture
from dtui.tui.renderables.parts.picture import Picture
from dtui.tui.state.actions import SHOWN, Action
from dtui.tui.state.key_steps import cycling, starting_on
from dtui.tui.state.numbers import Numbers, over_time
from dtui.tui.state.pane import Scene, Shows, Step
from dtui.tui.state.questions import Question
from dtui.tui.state.selection import Selection

NORMALISATIONS = ("layer", "filter", "iteration")
SORTS = ("index", "activity", "peak")


@dataclass(frozen=True, slots=True)
class FiltersOptions:
    """The choices of this pane: one of the statistics of filters, one of NORMALISATIONS, one of SORTS."""

    statistic: str = "cosine_distance"
    normalise: str = "layer"
    sort: str = "index"


@dataclass(frozen=True, slots=True)
class HeatmapQuestion(Question[Heatmap]):
    """The values of the filters of a node over time."""

    request: HeatmapRequest
    about = "heatmap"

    def ask(self, query: RunQuery) -> Heatmap:
        """Return them."""
        return query.heatmap(self.request)


class Filters(PixelPane):
    """The filters of `Selection.node`, in sorted order."""

    name = "filters"
    title = TITLE
    shows = Shows.FILTERS
    question = HeatmapQuestion
    about = staticmethod(attrgetter("request.node"))
    place_of = staticmethod(place_of)
    actions = (Action("normalise", ("I",), "normalise", "Shade filters against layer, filter, or iteration.", SHOWN),)
    bar = (
        (("rows_more", "rows_fewer"), "rows"),
        (("sort",), "sort"),
        (("normalise",), "normalise"),
        (("statistic",), "statistic"),
    )

    @property
    def steps(self) -> Mapping[str, Step]:
        """Step through what is shown."""
        return {
            **super().steps,
            "sort": cycling(FiltersOptions, "sort", SORTS),
            "normalise": cycling(FiltersOptions, "normalise", NORMALISATIONS),
            "statistic": cycling(FiltersOptions, "statistic", _recorded),
            "statistic_back": cycling(FiltersOptions, "statistic", _recorded, -1),
        }

    def subject(self, selection: Selection) -> object:
        """Return the node."""
        return selection.node

    def rows(self, scene: Scene) -> int:
        """Return the number of filters of the node."""
        node = scene.selection.node
        return scene.view.tree[node].filters if node < len(scene.view.tree) else 0

    def wanted(self, scene: Scene) -> Iterator[Question[Any]]:
        """Ask for the filters that are shown."""
        selection, total, height = scene.selection, self.rows(scene), self.height(scene)
        options, window = selection.get(FiltersOptions), self.window(selection)
        if height and total:
            yield HeatmapQuestion(
                HeatmapRequest(
                    node=selection.node,
                    statistic=options.statistic,
                    axis=scene.axis,
                    first=window.first,
                    count=window.count or total,
                    pixels=pixels_of(height),
                    normalise=options.normalise,
                    sort=options.sort,
                )
            )

    def picture(self, scene: Scene) -> Picture:
        """Return the filters at hand: those of the previous node until the new ones arrive."""
        view, heatmap = scene.view, scene.answers.get(HeatmapQuestion)
        if heatmap is None or heatmap.request.node >= len(view.tree):
            return MessagePicture(title=self.title)
        node = view.tree[heatmap.request.node]
        layers = sorted((found.layer, found.name) for found in view.tree if found.layer is not None)
        look = FiltersLook(
            node=f"{node.name} {node.detail}".strip(),
            title=title_of(heatmap.request.statistic),
            records=view.info.records,
            is_cosine=FILTERS[heatmap.request.statistic].drawn is Drawn.SIMILARITY,
            layer_names=tuple(name for _, name in layers),
        )
        row = min(self.row(scene), max(0, heatmap.filters - 1)) if node.index == scene.selection.node else 0
        return FiltersPicture(heatmap, row, look)

    def begin(self, scene: Scene) -> Selection:
        """Choose a statistic that the run has."""
        return starting_on(FiltersOptions, "statistic", _recorded(scene))(scene)

    def show(self, scene: Scene, entry: Entry) -> Selection:
        """Select the first filter of an entry, if its row is known."""
        selection, tree = scene.selection, scene.view.tree
        is_here = entry.layer is not None and self.rows(scene) > 0 and tree[selection.node].name == entry.layer
        if not is_here or not entry.filters or selection.get(FiltersOptions).sort != "index":
            return selection
        row = entry.filters[0]
        return self.select(scene, row) if 0 <= row < self.rows(scene) else selection

    def numbers(self, scene: Scene) -> Numbers | None:
        """Return the values of the rows of pixels, each named by its first filter."""
        heatmap = scene.answers.get(HeatmapQuestion)
        if heatmap is None or heatmap.request.node >= len(scene.view.tree):
            return None
        request, rows = heatmap.request, len(heatmap.values)
        first = [request.first + row * request.count // max(1, rows) for row in range(rows)]
        names = [f"filter {int(heatmap.order[place])}" if place < len(heatmap.order) else "" for place in first]
        title = f"{title_of(request.statistic)} of {scene.view.tree[request.node].name}, sorted by {request.sort}"
        return over_time(title, request.axis, names, list(heatmap.values))

    def choices(self, scene: Scene) -> Iterator[tuple[str, str, Step]]:
        """Offer the statistics."""
        for statistic in scene.view.filter_statistics:
            step = cycling(FiltersOptions, "statistic", (statistic,))
            yield f"filters: {statistic.replace('_', ' ')}", "Show this statistic in the Filters pane.", step


def _recorded(scene: Scene) -> tuple[str, ...]:
    """Return the statistics that the run has."""
    return scene.view.filter_statistics
