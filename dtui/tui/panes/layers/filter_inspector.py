"""The inspector of one filter, an inner screen: its course over the run, and where it acts."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dtui.model import ActivationPlace, TimeAxis, TreeNode
from dtui.model.findings.kept_weights import KeptWeights
from dtui.model.judging import Judging, as_groups, class_called
from dtui.model.layers import FilterHistory, InitialStd, layer_called
from dtui.model.learning import TURNED_WRONG
from dtui.model.relations import Event
from dtui.model.statistics import title_of
from dtui.number_text import counted
from dtui.safe_text import safe
from dtui.tui.panes.layers.inspected import InspectedFilter
from dtui.tui.panes.layers.questions import (
    FilterEventsQuestion,
    FilterHistoryNowQuestion,
    FilterHistoryQuestion,
    FilterWeightsQuestion,
    StateQuestion,
)
from dtui.tui.panes.validation.inside import open_list
from dtui.tui.renderables.panes.layers.filter_inspector import TITLE, InspectorPicture
from dtui.tui.renderables.panes.layers.tree_words import STANDING_WORDS, starts_words
from dtui.tui.renderables.parts.chrome import number
from dtui.tui.renderables.parts.picture import Picture
from dtui.tui.state.numbers import Numbers, over_time
from dtui.tui.state.pane import Pane, Scene, Step
from dtui.tui.state.places.remark import Remark
from dtui.tui.state.questions import Question
from dtui.tui.state.selection import Selection

MOST_TIMES = 4


class FilterInspector(Pane):
    """One filter; its rows are the filters of the layer, so that the next is one key away."""

    name = "filter_course"
    title = TITLE
    bar = ((("inside",), "its images"),)

    @property
    def steps(self) -> Mapping[str, Step]:
        """Go to the images that excite it, or where they are not known to those that turned wrong at the crosshair."""
        return {"inside": _to_images}

    def picture(self, scene: Scene) -> Picture:
        """Return the courses at hand, if they are of this filter or of another one of its layer."""
        chosen, node = scene.selection.get(InspectedFilter), self._node(scene)
        history = self._history(scene)
        name = (
            ""
            if node is None
            else f"{' '.join((node.name, node.detail)).strip()} · {node.kind} · {counted(node.filters, 'filter')}"
        )
        kept = self._kept(scene)
        shown = None if not kept else shown_of(kept, scene.selection.cursor)
        place = (1, 1) if shown is None or kept is None else (kept.index(shown) + 1, len(kept))
        words, now = self._words(scene, node), self._now(scene)
        return InspectorPicture(name, chosen.filter, history, words, shown, place, now)

    def wanted(self, scene: Scene) -> Iterator[Question[Any]]:
        """Ask for its courses, its state, and where it acts."""
        if self.height(scene) and self._node(scene) is not None:
            chosen = scene.selection.get(InspectedFilter)
            yield FilterHistoryQuestion(chosen.layer, chosen.filter, scene.axis)
            moment = TimeAxis(scene.selection.cursor, scene.selection.cursor + 1, 1)
            yield FilterHistoryNowQuestion(chosen.layer, chosen.filter, moment)
            yield StateQuestion()
            yield FilterEventsQuestion(chosen.layer, chosen.filter)
            yield FilterWeightsQuestion(chosen.layer, chosen.filter)

    def _history(self, scene: Scene) -> FilterHistory | None:
        """Return the courses at hand, of this filter or of another one of its layer."""
        history = scene.answers.get(FilterHistoryQuestion)
        return history if history is not None and history.layer == scene.selection.get(InspectedFilter).layer else None

    def _now(self, scene: Scene) -> FilterHistory | None:
        """Return its exact values at the crosshair; None until they are known."""
        chosen, found = scene.selection.get(InspectedFilter), scene.answers.get(FilterHistoryNowQuestion)
        if found is None or found.axis.first != scene.selection.cursor:
            return None
        return found if (found.layer, found.filter) == (chosen.layer, chosen.filter) else None

    def _kept(self, scene: Scene) -> tuple[KeptWeights, ...] | None:
        """Return its weights that are kept, None while they are looked for."""
        chosen, found = scene.selection.get(InspectedFilter), scene.answers.get(FilterWeightsQuestion)
        is_of_it = found is not None and (found.layer, found.filter) == (chosen.layer, chosen.filter)
        return found.kept if found is not None and is_of_it else None

    def _node(self, scene: Scene) -> TreeNode | None:
        layer = scene.selection.get(InspectedFilter).layer
        return next((node for node in scene.view.tree if node.layer == layer), None)

    def _words(self, scene: Scene, node: TreeNode | None) -> tuple[tuple[str, ...], ...]:
        """Return the lines at the foot: its state, where it acts, and its weights."""
        chosen, state = scene.selection.get(InspectedFilter), scene.answers.get(StateQuestion)
        found = scene.answers.get(FilterEventsQuestion)
        states = []
        for entry in () if state is None else state.entries:
            if node is not None and entry.layer == node.name and (chosen.filter in entry.filters or not entry.filters):
                since = entry.since[entry.filters.index(chosen.filter) if entry.filters else 0]
                states.append(STANDING_WORDS[entry.standing] + (f" since {since:,}" if since is not None else ""))
        said = "looking …" if state is None else ", ".join(states) or "alive"
        acts = (
            ("looking where it acts …",)
            if found is None
            else acts_words(found.events, scene.view.classes, scene.view.info.judging)
        )
        if found is not None and (found.layer, found.filter) != (chosen.layer, chosen.filter):
            acts = ("looking where it acts …",)
        history, kept = self._history(scene), self._kept(scene)
        read = () if history is None or history.read is None else (read_words(history.read),)
        if history is not None:
            exact = self._now(scene) or (history if history.filter == chosen.filter else None)
            starts = None if history.std is None else history.starts
            read = (*read, *std_words(starts, exact, scene.selection.cursor))
        return (acts, (said, said) if kept is None else (f"{said} · {kept_words(kept)}", said), *read)

    def numbers(self, scene: Scene) -> Numbers | None:
        """Return its courses, each beside the median and the spread of its layer."""
        history, node = scene.answers.get(FilterHistoryQuestion), self._node(scene)
        if history is None or node is None:
            return None
        parts = ("values", "median", "low", "high")
        words = ("", " median of the layer", " 5 % of the layer", " 95 % of the layer")
        names = [f"{title_of(course.statistic)}{said}" for course in history.courses for said in words]
        values = [getattr(course, part) for course in history.courses for part in parts]
        return over_time(f"filter {history.filter} of {layer_called(node.name)}", history.axis, names, values)

    # --- links

    def linked(self, scene: Scene) -> Mapping[str, Any]:
        """Return the filter and its layer."""
        node = self._node(scene)
        return {} if node is None else {"layer": node.name, "filter": self.row(scene)}

    def follow(self, scene: Scene, place: Mapping[str, Any]) -> tuple[Selection, Remark | None]:
        """Look at the filter of a link; of a module, at one of its first layer."""
        node = scene.view.tree[scene.selection.node] if scene.view.tree else None
        if node is None or not node.layers:
            return scene.selection, None
        return scene.selection.put(InspectedFilter(node.layers[0], place["filter"] or 0)), None

    # --- its rows: the filters of the layer

    def rows(self, scene: Scene) -> int:
        """Return the filters of the layer."""
        node = self._node(scene)
        return 0 if node is None else node.filters

    def row(self, scene: Scene) -> int:
        """Return the filter."""
        return scene.selection.get(InspectedFilter).filter

    def select(self, scene: Scene, row: int) -> Selection:
        """Return the selection on another filter of the layer."""
        return scene.selection.put(InspectedFilter(scene.selection.get(InspectedFilter).layer, row))

    def page(self, scene: Scene) -> int:
        """Return the filters that a page key moves by."""
        return 10

    def fold(self, scene: Scene, open_: bool | None) -> Selection:
        """Closing goes back to where it was opened."""
        return scene.selection.gone_back() if open_ is False else scene.selection

    def settle(self, scene: Scene) -> Selection:
        """Return the selection on a filter that exists."""
        chosen, node = scene.selection.get(InspectedFilter), self._node(scene)
        if node is None or chosen.filter < node.filters:
            return scene.selection
        return scene.selection.put(InspectedFilter(chosen.layer, node.filters - 1))


def _to_images(scene: Scene) -> Selection:
    beside = scene.screen.panes[1:]
    return scene.with_pane(beside[0]) if beside else open_list(scene, TURNED_WRONG)


def shown_of(kept: Sequence[KeptWeights], cursor: int | None) -> KeptWeights:
    """Return the weights around the last trigger up to the crosshair, those around the first where none is."""
    return next((one for one in reversed(kept) if cursor is None or one.iteration <= cursor), kept[0])


def kept_words(kept: Sequence[KeptWeights]) -> str:
    """Return around which iterations weights of a filter are kept."""
    if not kept:
        return "its weights were not kept in this run"
    times = sorted({one.iteration for one in kept})
    more = f" and {len(times) - MOST_TIMES} more" if len(times) > MOST_TIMES else ""
    return f"its weights are kept around {', '.join(f'{time:,}' for time in times[:MOST_TIMES])}{more}"


def std_words(starts: InitialStd | None, history: FilterHistory | None, cursor: int) -> tuple[tuple[str, ...], ...]:
    """Return the standard deviation of a filter's weights at the crosshair, and where those of its layer start."""
    if starts is None:
        return ()
    column = -1 if history is None else history.axis.column_of(cursor)
    std = None if history is None else history.std
    now = float(std[column]) if std is not None and 0 <= column < len(std) else math.nan
    said = f"std {number(now)} here; " if now == now else ""
    return (tuple(f"{said}{words}" for words in starts_words(starts)),)


def read_words(read: ActivationPlace) -> tuple[str, ...]:
    """Return of which outputs the share of zeros and the mean are, ever shorter."""
    if read.lacking:
        return (f"no activations: {safe(read.lacking)}", "no activations")
    of, then = safe(read.of), safe(read.then)
    if read.has_zeros:
        return (f"activations: of {of}, behind its {then}", f"activations of {of}, {then}")
    then = f"before its {then}" if then else "no ReLU alone follows"
    return (f"activations: of {of}, {then}; zeros are what is not above zero", f"activations of {of}, {then}")


def acts_words(events: Sequence[Event], classes: Sequence[str], judging: Judging | None = None) -> tuple[str, ...]:
    """Return at which incidents and anomalies a filter was among those that changed most, ever shorter."""
    if not events:
        return (
            "never among the 10 filters that changed most at an incident or anomaly",
            "never among the most changed",
        )
    by_class: dict[int | None, list[int]] = {}
    for event in events:
        times = by_class.setdefault(event.label, [])
        if event.iteration not in times:
            times.append(event.iteration)
    lines = []
    for most in (len(by_class), 6, 3, 2, 1):
        parts = [_at(label, times, classes, judging) for label, times in list(by_class.items())[:most]]
        more = (
            as_groups(f" · {counted(len(by_class) - most, 'more class', 'more classes')}", judging)
            if len(by_class) > most
            else ""
        )
        lines.append(f"among the 10 that changed most: {' · '.join(parts)}{more}")
        lines.append(f"most changed: {' · '.join(parts)}{more}")
    return tuple(dict.fromkeys(lines))


def _at(label: int | None, times: Sequence[int], classes: Sequence[str], judging: Judging | None) -> str:
    name = "incident"
    if label is not None:
        name = class_called(safe(classes[label]) if label < len(classes) else str(label), judging)
    shown = ", ".join(f"{time:,}" for time in sorted(times)[:MOST_TIMES])
    more = f" and {len(times) - MOST_TIMES} more" if len(times) > MOST_TIMES else ""
    return f"{name} at {shown}{more}"
