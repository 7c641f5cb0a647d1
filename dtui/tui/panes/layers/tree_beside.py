"""Finds what the rows behind layers show: normalisation layers, other parameters, adapters, attention heads."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from typing import Any

from dtui.model import Adapter, NormLayer, OtherParameter
from dtui.model.layers import ADAPTER_RATIO, UPDATE_RATIO, AttentionHead, NormSeries
from dtui.model.statistics import ADAPTERS, FILTERS, NORMS, PARAMETERS, title_of
from dtui.safe_text import safe
from dtui.tui.panes.layers.questions import (
    AdaptersQuestion,
    HeadsQuestion,
    NormsQuestion,
    ParameterRatiosQuestion,
    ParametersQuestion,
)
from dtui.tui.panes.layers.tree_options import SelectedHead, TreeOptions
from dtui.tui.panes.layers.tree_rows import TreeItem, own_name
from dtui.tui.renderables.canvas import marks
from dtui.tui.renderables.canvas.marks import Mark
from dtui.tui.renderables.panes.layers.tree_gutter import BesideSeries, TreeRow
from dtui.tui.state.choice import Option
from dtui.tui.state.pane import Scene
from dtui.tui.state.questions import Question
from dtui.tui.state.run_view import Beside, RunView
from dtui.tui.state.selection import Selection

_QUESTIONS: tuple[tuple[str, type[Beside], Mark, type[Question[NormSeries]]], ...] = (
    ("norm_statistic", NormLayer, marks.NORM, NormsQuestion),
    ("parameter_statistic", OtherParameter, marks.PARAMETER, ParametersQuestion),
    ("adapter_statistic", Adapter, marks.ADAPTER, AdaptersQuestion),
    ("head_statistic", AttentionHead, marks.HEAD, HeadsQuestion),
)
"""Of each kind of rows: the choice that says what they show, what they are of, their mark, and what asks for them."""


def wanted_beside(scene: Scene, here: Sequence[TreeItem]) -> Iterator[Question[Any]]:
    """Ask for the numbers of the rows on the screen that stand behind layers."""
    options, axis = scene.selection.get(TreeOptions), scene.axis
    shown = dict.fromkeys(item.norm for item in here if item.norm is not None)
    for choice, kind, _, question in _QUESTIONS:
        statistic, places = getattr(options, choice), scene.view.places(kind)
        rows = tuple(place - places.start for place in shown if place in places)
        is_asked = rows or (places and choice != "head_statistic")
        if statistic is not None and is_asked:
            make: Callable[..., Question[Any]] = question
            yield make(rows, statistic, axis)
            if kind is OtherParameter and _has_ratios(scene):
                yield ParameterRatiosQuestion(rows, axis)


def beside_of(scene: Scene) -> BesideSeries:
    """Return the numbers at hand of what has rows behind layers, by place in `RunView.beside`."""
    options, series = scene.selection.get(TreeOptions), []
    for choice, kind, _, question in _QUESTIONS:
        found = scene.answers.get(question) if getattr(options, choice) is not None else None
        if found is not None:
            series.append(_at_places(found, scene, kind))
    ratios = scene.answers.get(ParameterRatiosQuestion) if options.parameter_statistic is not None else None
    return BesideSeries(tuple(series), None if ratios is None else _at_places(ratios, scene, OtherParameter))


def _at_places(found: NormSeries, scene: Scene, kind: type[Beside]) -> NormSeries:
    return _from_place(found, scene.view.places(kind).start)


@lru_cache(maxsize=8)
def _from_place(series: NormSeries, first: int) -> NormSeries:
    """Return a series with its places counted from another one on. The same for the same: a picture of it is kept."""
    return replace(series, norms=tuple(place + first for place in series.norms))


def titles_beside(scene: Scene) -> list[tuple[str, str]]:
    """Return mark and title of the statistics in the rows behind layers that there are numbers of."""
    options, titles = scene.selection.get(TreeOptions), []
    shown = options.beside(scene.view)
    for choice, kind, mark, question in _QUESTIONS:
        found = scene.answers.get(question) if getattr(options, choice) is not None else None
        if found is not None and any(place in scene.view.places(kind) for place in shown):
            titles.append((mark.glyph, found.title))
    return titles


def _has_ratios(scene: Scene) -> bool:
    return {"norm", "update_norm"} <= set(scene.view.parameter_statistics)


def row_beside(item: TreeItem, place: int, one: Beside, is_flat: bool) -> TreeRow:
    """Return the row of something behind a layer; that of a parameter has its module's name, too."""
    name, kind, about, mark = _told(one, is_flat)
    indent = 0 if is_flat else item.node.depth + isinstance(one, AttentionHead)
    return TreeRow(item.node, False, False, name, kind, indent, place, about=about, mark=mark)


def _told(one: Beside, is_flat: bool) -> tuple[str, str, str, Mark]:
    """Return name, detail, words and mark of a row."""
    if isinstance(one, AttentionHead):
        filters = f"{one.first:,}–{one.stop - 1:,}"
        about = f"{one.title} of {safe(one.layer)} (filters {filters})"
        return f"{one.layer} {one.title}" if is_flat else one.title, filters, about, marks.HEAD
    if isinstance(one, Adapter):
        name = one.name if is_flat else ".".join(one.name.split(".")[-1:])
        rank = f"rank {one.rank}, scale {one.scale:g}" if one.is_measured else "not compared"
        about = f"{safe(one.kind)} {safe(one.adapter)} of {safe(one.name)} ({rank})"
        return f"{one.kind} {one.adapter}", name, about, marks.ADAPTER
    is_norm = isinstance(one, NormLayer)
    size = f"{one.channels:,} channels" if isinstance(one, NormLayer) else f"{one.elements:,} elements"
    if is_flat:
        name = one.name
    elif is_norm:
        name = own_name(one.name)
    else:
        name = ".".join(one.name.split(".")[-2:])
    about = f"{safe(one.name)} ({safe(one.kind)}, {size})"
    return name, one.kind, about, marks.NORM if is_norm else marks.PARAMETER


def on_row(options: TreeOptions, view: RunView, item: TreeItem) -> TreeOptions:
    """Return the choices with a row selected."""
    one = None if item.norm is None else view.beside[item.norm]
    head = SelectedHead(item.node.index, one.first, one.stop) if isinstance(one, AttentionHead) else None
    is_channels = isinstance(one, NormLayer) and item.norm in view.channel_norms
    return replace(options, norm=item.norm, head=head, channels=item.norm if is_channels else None)


def on_node(options: TreeOptions) -> TreeOptions:
    """Return the choices with the node itself selected, and nothing behind it."""
    return replace(options, norm=None, head=None, channels=None)


def starting_beside(scene: Scene) -> Scene:
    """Show rows of normalisation layers from the beginning where their channels were recorded."""
    options, view = scene.selection.get(TreeOptions), scene.view
    if not view.channel_norms or not view.norm_statistics or options.norm_statistic is not None:
        return scene
    first = "scale_shift" if "scale_shift" in view.norm_statistics else view.norm_statistics[0]
    return scene.at(scene.selection.put(replace(options, norm_statistic=first)))


def layers_with_heads(view: RunView) -> dict[int, int]:
    """Return the layers that make attention heads, and how many each."""
    counts: dict[int, int] = {}
    for head in view.heads:
        counts[head.index] = counts.get(head.index, 0) + 1
    return counts


def options_beside(scene: Scene) -> list[Option]:
    """Return the lines of the list of statistics that say what rows behind layers show."""
    view, lines = scene.view, []
    if view.norms:
        group = "Normalisation layers, in rows of their own"
        every = [(name, NORMS[name].unit) for name in view.norm_statistics]
        lines += _options(group, "norm_statistic", every)
    if view.parameters:
        group = "Other parameters (biases, embeddings …), in rows of their own"
        every = [(name, PARAMETERS[name].unit) for name in view.parameter_statistics]
        every += [(UPDATE_RATIO, "‖Δw‖ / ‖w‖ per update")] if _has_ratios(scene) else []
        lines += _options(group, "parameter_statistic", every)
    if view.adapters:
        every = [(ADAPTER_RATIO, "share of the norm of its weight"), *((name, "") for name in ADAPTERS)]
        lines += _options("Adapters, in rows of their own", "adapter_statistic", every)
    if view.heads:
        group = "Attention heads, in rows of their own"
        lines += [
            Option(title_of(name), partial(_with_heads, statistic=name), FILTERS[name].unit, group)
            for name in (UPDATE_RATIO, *(one for one in view.filter_statistics if one != UPDATE_RATIO))
            if name in view.filter_statistics
        ]
        lines.append(Option("without their rows", partial(_with_heads, statistic=None), "", group))
    return lines


def _options(group: str, choice: str, every: Sequence[tuple[str, str]]) -> list[Option]:
    lines = [Option(title_of(name), partial(_with, choice=choice, value=name), words, group) for name, words in every]
    return [*lines, Option("without their rows", partial(_with, choice=choice, value=None), "", group)]


def _with(scene: Scene, choice: str, value: str | None) -> Selection:
    chosen: dict[str, Any] = {choice: value}
    return _settled(scene, replace(scene.selection.get(TreeOptions), **chosen))


def _with_heads(scene: Scene, statistic: str | None) -> Selection:
    """Return the selection with a statistic of the heads of all layers, or without their rows."""
    options = scene.selection.get(TreeOptions)
    if statistic is None:
        return _settled(scene, replace(options, open_heads=frozenset()))
    every = frozenset(layers_with_heads(scene.view))
    return _settled(scene, replace(options, head_statistic=statistic, open_heads=every))


def _settled(scene: Scene, options: TreeOptions) -> Selection:
    is_shown = options.norm is None or options.norm in options.beside(scene.view)
    return scene.selection.put(options if is_shown else on_node(options))
