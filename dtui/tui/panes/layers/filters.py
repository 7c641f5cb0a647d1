"""The filters pane: a row of pixels for each filter of the selected layer or module."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from operator import attrgetter
from typing import Any

import numpy as np

from dtui.dataclass_on_use import dataclass
from dtui.model import Heatmap, HeatmapRequest, TimeAxis, TreeNode
from dtui.model.findings.review import Entry
from dtui.model.layers import ACTIVATION_COLUMNS, InitialStd
from dtui.model.statistics import CHANNEL_STATISTICS, FILTERS, title_of
from dtui.safe_text import safe
from dtui.tui.panes.layers.inspected import FilterLinks, inspecting
from dtui.tui.panes.layers.questions import FilterNowQuestion, HeatmapQuestion, InitialStdQuestion, StateQuestion
from dtui.tui.panes.layers.standing import standing_below
from dtui.tui.panes.layers.tree_options import TreeOptions
from dtui.tui.panes.rows import PixelPane
from dtui.tui.renderables.panes.layers.filters import TITLE, FiltersPicture, filter_pixels, place_of
from dtui.tui.renderables.panes.layers.filters_gutter import LEAST_FOR_LIST, FiltersLook
from dtui.tui.renderables.panes.message import reading
from dtui.tui.renderables.parts.picture import Picture
from dtui.tui.state.actions import SHOWN, Action, BarItem
from dtui.tui.state.choice import Choice, Option
from dtui.tui.state.key_steps import cycling, starting_on
from dtui.tui.state.numbers import Numbers, over_time
from dtui.tui.state.pane import Scene, Shows, Step
from dtui.tui.state.questions import Question
from dtui.tui.state.selection import Selection

NORMALISATIONS = ("layer", "filter", "iteration")
SORTS = ("index", "activity", "peak", "lead")
SORT_WORDS = {"index": "index", "activity": "change", "peak": "time of peak", "lead": "incident first"}


@dataclass(frozen=True, slots=True)
class FiltersOptions:
    """The choices of this pane: a statistic of filters, one of channels, one of NORMALISATIONS, one of SORTS."""

    statistic: str = "cosine_distance"
    channel: str = "scale"
    normalise: str = "layer"
    sort: str = "index"


class Filters(FilterLinks, PixelPane):
    """The filters of `Selection.node`, or the channels of a selected normalisation layer, in sorted order."""

    name = "filters"
    title = TITLE
    shows = Shows.FILTERS
    question = HeatmapQuestion
    about = staticmethod(attrgetter("request.node", "request.within", "request.norm"))
    place_of = staticmethod(place_of)
    actions = (Action("normalise", ("I",), "normalise", "Shade filters against layer, filter, or iteration.", SHOWN),)
    bar = (
        (("fold_toggle",), "inspect"),
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
            "statistic": _next_statistic,
            "statistic_back": partial(_next_statistic, by=-1),
        }

    def keys(self, scene: Scene) -> Sequence[BarItem]:
        """Return the keys that do something: a channel cannot be looked into."""
        return self.bar if _norm_of(scene) is None else self.bar[1:]

    def choice(self, scene: Scene, action: str) -> Choice | None:
        """Return the list of statistics."""
        field, every, one = _offered(scene)
        now = getattr(scene.selection.get(FiltersOptions), field)
        if action != "statistic" or not every:
            return None
        units = {name: known.unit for name, known in FILTERS.items()}
        options = (
            Option(title_of(name), partial(_with, field=field, value=name), units.get(name, "")) for name in every
        )
        return Choice(f"Statistic of the {one}s", tuple(options), every.index(now) if now in every else -1)

    def subject(self, selection: Selection) -> object:
        """Return the node, or the attention head or the normalisation layer in it that is selected."""
        options = selection.get(TreeOptions)
        if options.channels is not None:
            return selection.node, "channels", options.channels
        within = options.within(selection.node)
        return selection.node if within is None else (selection.node, *within)

    def rows(self, scene: Scene) -> int:
        """Return the number of filters of the node or the attention head, or of channels, that is selected."""
        node, within, norm = scene.selection.node, self._within(scene), _norm_of(scene)
        if norm is not None:
            return scene.view.norms[norm].channels
        if within is not None:
            return within[1] - within[0]
        return scene.view.tree[node].filters if node < len(scene.view.tree) else 0

    def _within(self, scene: Scene) -> tuple[int, int] | None:
        return scene.selection.get(TreeOptions).within(scene.selection.node)

    def needed(self, scene: Scene) -> int:
        """Return the rows in which each filter of the largest layer has a pixel of its own."""
        most = max((node.filters for node in scene.view.tree if node.layer is not None), default=0)
        return max(LEAST_FOR_LIST, 2 + -(-most // 2))

    def pixels(self, scene: Scene) -> int:
        """Return the pixel rows that there is room for, >= 1."""
        return filter_pixels(self.height(scene))

    def wanted(self, scene: Scene) -> Iterator[Question[Any]]:
        """Ask for the filters that are shown."""
        selection, total, height = scene.selection, self.rows(scene), self.height(scene)
        options, window, norm = selection.get(FiltersOptions), self.window(selection), _norm_of(scene)
        if height and total:
            request = HeatmapRequest(
                node=selection.node,
                statistic=options.statistic if norm is None else options.channel,
                axis=scene.axis,
                first=window.first,
                count=window.count or total,
                pixels=self.pixels(scene),
                normalise=options.normalise,
                sort=options.sort,
                lead=self._lead(scene) if options.sort == "lead" else (),
                within=self._within(scene),
                norm=norm,
            )
            yield HeatmapQuestion(request)
            moment = TimeAxis(selection.cursor, selection.cursor + 1, 1)
            yield FilterNowQuestion(replace(request, axis=moment, first=window.row, count=1, pixels=1))
            yield StateQuestion()
            layer = scene.view.tree[selection.node].layer
            if options.statistic == "std" and layer is not None:
                yield InitialStdQuestion(layer)

    def picture(self, scene: Scene) -> Picture:
        """Return the filters at hand: those of the previous node until the new ones arrive."""
        view, heatmap = scene.view, scene.answers.get(HeatmapQuestion)
        if heatmap is None or heatmap.request.node >= len(view.tree):
            return reading("the filters", self.title)
        row = min(self.row(scene), max(0, heatmap.filters - 1)) if self._is_of(scene, heatmap) else 0
        if heatmap.request.norm is not None:
            return FiltersPicture(heatmap, row, _channels_look(scene, heatmap), scene.answers.get(FilterNowQuestion))
        node = view.tree[heatmap.request.node]
        standing = standing_below(scene, node)
        layers = sorted((found.layer, found.name) for found in view.tree if found.layer is not None)
        is_activation = heatmap.request.statistic in ACTIVATION_COLUMNS
        look = FiltersLook(
            node=f"{node.name} {node.detail}".strip(),
            title=title_of(heatmap.request.statistic),
            records=view.info.validations if is_activation else view.info.records,
            layer_names=tuple(name for _, name in layers),
            order=SORT_WORDS.get(heatmap.request.sort, heatmap.request.sort),
            moving=standing.moving,
            standing=standing.lines,
            stands_out=standing.stands_out,
            untold=standing.untold,
            moment="validation" if is_activation else "record",
            heads=tuple(head for head in view.heads if head.index == node.layer),
            starts=self._starts(scene, node, heatmap.request.statistic),
        )
        return FiltersPicture(heatmap, row, look, scene.answers.get(FilterNowQuestion))

    def _is_of(self, scene: Scene, heatmap: Heatmap) -> bool:
        """Whether an answer is of what is selected now."""
        request = heatmap.request
        now = scene.selection.node, self._within(scene), _norm_of(scene)
        return (request.node, request.within, request.norm) == now

    def _starts(self, scene: Scene, node: TreeNode, statistic: str) -> InitialStd | None:
        """Return where the weights of a layer would start, where their standard deviation is shown."""
        found = scene.answers.get(InitialStdQuestion)
        return found.starts if found is not None and statistic == "std" and found.layer == node.layer else None

    def _lead(self, scene: Scene) -> tuple[int, ...]:
        """Return the filters of the node that the selected entry names."""
        entry, tree = scene.view.find_entry(scene.selection.entry), scene.view.tree
        if entry is None or not entry.filters or scene.selection.node >= len(tree):
            return ()
        node = tree[scene.selection.node]
        for found in tree:
            if found.layer is not None and found.layer in node.layers and found.name == entry.layer:
                return tuple(found.first_filter - node.first_filter + filter for filter in entry.filters)
        return ()

    # --- its rows

    def is_foldable(self, scene: Scene) -> bool:
        """Whether there is a filter to look into."""
        return self.rows(scene) > 0 and _norm_of(scene) is None

    def fold(self, scene: Scene, open_: bool | None) -> Selection:
        """Look into the selected filter; closing goes back to the tree."""
        found = None if open_ is False else self.selected(scene)
        return super().fold(scene, open_) if found is None else inspecting(scene, *found)

    def selected(self, scene: Scene) -> tuple[int, int] | None:
        """Return layer and filter of the selected row; None until its order is known."""
        heatmap, row, tree = scene.answers.get(HeatmapQuestion), self.row(scene), scene.view.tree
        if (
            heatmap is None
            or not self._is_of(scene, heatmap)
            or row >= len(heatmap.order)
            or _norm_of(scene) is not None
        ):
            return None
        layer = int(heatmap.labels[row])
        own = next(node for node in tree if node.layer == layer)
        return layer, int(heatmap.order[row]) - (own.first_filter - tree[scene.selection.node].first_filter)

    # --- what changes around it

    def begin(self, scene: Scene) -> Selection:
        """Choose a statistic that the run has."""
        return starting_on(FiltersOptions, "statistic", _recorded(scene))(scene)

    def show(self, scene: Scene, entry: Entry) -> Selection:
        """Select the first filter of an entry; where its row is not known, in the order of index."""
        selection, tree = scene.selection, scene.view.tree
        is_here = entry.layer is not None and self.rows(scene) > 0 and tree[selection.node].name == entry.layer
        if not is_here or not entry.filters or not 0 <= entry.filters[0] < self.rows(scene):
            return selection
        options = selection.get(FiltersOptions)
        if options.sort == "lead":
            return self.select(scene, 0)
        if options.sort != "index":
            scene = scene.at(selection.put(replace(options, sort="index")))
        return self.select(scene, entry.filters[0])

    def numbers(self, scene: Scene) -> Numbers | None:
        """Return the values of the rows of pixels, each named by its first filter."""
        heatmap = scene.answers.get(HeatmapQuestion)
        if heatmap is None or heatmap.request.node >= len(scene.view.tree):
            return None
        request, rows = heatmap.request, len(heatmap.values)
        first = [request.first + row * request.count // max(1, rows) for row in range(rows)]
        one = "filter" if request.norm is None else "channel"
        names = [f"{one} {int(heatmap.order[place])}" if place < len(heatmap.order) else "" for place in first]
        name = scene.view.tree[request.node].name if request.norm is None else scene.view.norms[request.norm].name
        title = f"{title_of(request.statistic)} of {name}, sorted by {SORT_WORDS[request.sort]}"
        return over_time(title, request.axis, names, list(heatmap.values))

    def choices(self, scene: Scene) -> Iterator[tuple[str, str, Step]]:
        """Offer the statistics, and the orders."""
        for statistic in scene.view.filter_statistics:
            step: Step = partial(_with, field="statistic", value=statistic)
            yield f"filters: {title_of(statistic)}", "Show this statistic in the Filters pane.", step
        for value in CHANNEL_STATISTICS if scene.view.channel_norms else ():
            step = partial(_with, field="channel", value=value)
            yield f"channels: {title_of(value)}", "Show this of the channels of a normalisation layer.", step
        for sort, words in SORT_WORDS.items():
            yield f"filters by {words}", "Order the filters so.", cycling(FiltersOptions, "sort", (sort,))


def _with(scene: Scene, field: str, value: str) -> Selection:
    chosen: dict[str, Any] = {field: value}
    return scene.selection.put(replace(scene.selection.get(FiltersOptions), **chosen))


def _norm_of(scene: Scene) -> int | None:
    """Return the place of the normalisation layer whose channels are shown; None where filters are."""
    place = scene.selection.get(TreeOptions).channels
    return place if place in scene.view.channel_norms else None


def _offered(scene: Scene) -> tuple[str, tuple[str, ...], str]:
    """Return the choice that says what is shown, what there is to choose from, and what a row is."""
    is_channels = _norm_of(scene) is not None
    return ("channel", CHANNEL_STATISTICS, "channel") if is_channels else ("statistic", _recorded(scene), "filter")


def _next_statistic(scene: Scene, by: int = 1) -> Selection:
    field, every, _ = _offered(scene)
    return cycling(FiltersOptions, field, every, by)(scene)


def _channels_look(scene: Scene, heatmap: Heatmap) -> FiltersLook:
    """Return names and words for the channels of a normalisation layer."""
    request = heatmap.request
    norm = scene.view.norms[request.norm or 0]
    title = title_of(request.statistic)
    is_empty = bool(np.isnan(heatmap.values).all())
    lacks = f"{safe(norm.kind)} has no {title} here; press s for another value"
    return FiltersLook(
        node=f"{norm.name} {norm.kind}",
        title=title,
        records=scene.view.info.records,
        order=SORT_WORDS.get(request.sort, request.sort),
        standing=(lacks,) if is_empty else (f"{title}, of each channel; its size is shaded",),
        one="channel",
    )


def _recorded(scene: Scene) -> tuple[str, ...]:
    """Return the statistics that the run has."""
    return scene.view.filter_statistics
