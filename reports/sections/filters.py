"""The section on filters: over time, by name those that stand out at the end, and the images that excite some most."""

from __future__ import annotations

import math

import numpy as np

from dtui.errors import NotRecordedError
from dtui.model import FilterCourses, Layer, Standing, StateEntry, TimeAxis
from dtui.model.layers import ACTIVATION_COLUMNS
from dtui.model.statistics import title_of
from dtui.number_text import counted, number_text
from dtui.reports.charts.raster import thumbnail
from dtui.reports.document import Gallery, Item, Paragraph, Row, Section, Table, Thumbnail
from dtui.reports.rows import FilterMap, FilterMaps
from dtui.reports.sections.registry import View, section
from dtui.safe_text import safe

ZEROS = ACTIVATION_COLUMNS[0]
SHOWN = ("update_ratio", "update_norm", "norm", "std", "mean")
"""Statistics of filters, the first that the run holds is shown."""
MOST_LAYERS = 12
FEW_LAYERS = 6
"""Where incidents name fewer layers, others are shown up to this number."""
MOST_FILTERS = 24
MOST_COLUMNS = 380
_QUANTITIES = {
    "update_ratio": "relative size of updates",
    "update_norm": "size of updates",
    "norm": "norm of weights",
    ZEROS: "share of activations that are zero behind the ReLU",
}


CAPTION = (
    "The shades show single filters: of each layer those that incidents name, then those that once left their usual "
    "place among the layer's filters most, with how many times. A column shows the largest value of its iterations. "
    "Shades compare with the layer, with the filter's own largest value, or with the layer at that iteration."
)
ZEROS_CAPTION = "Where the share of zeros is 1, the filter lets nothing of any image through."
HINT = "Choose the layer and what the shades compare with above the rows."
MOST_ROWS = 60
MOST_NUMBERS = 16
MOST_GALLERIES = 6
A_CAUSE = 2
"""Filters of one incident, or of the silent ones of one layer."""
LOOKED_BACK = 3
"""Validations that are looked at, backwards, for one at which the filter let something through."""
_WORDS = {
    Standing.DEAD: "next to no gradient any more",
    Standing.SILENT: "zero behind their ReLU for every image of the last validation",
    Standing.MOVING: "still changing when the rest of the layer has converged",
    Standing.LATE_STARTER: "began to change long after the layer",
    Standing.UNCHANGED: "gets gradients and does not change",
    Standing.NO_GRADIENT: "never got a gradient",
    Standing.FROZEN: "gets no gradient any more",
    Standing.UNTRAINED: "frozen from the beginning",
}


@section("filters", order=100, screen="layers")
def filters_section(view: View) -> Section | None:
    """Return what stands out at the end, layer by layer."""
    if view.info.records == 0:
        return None
    state = view.query.state()
    shades = filter_maps(view)
    items: list[Item] = [] if shades is None else [shades]
    zeros = activation_maps(view)
    items += zeros
    if state.entries:
        rows = tuple(_row(entry) for entry in state.entries[:MOST_ROWS])
        left = len(state.entries) - len(rows)
        note = f"{counted(left, 'more line')}: dtui state lists all." if left else ""
        columns, numeric = ("state", "layer", "filters", "since", "which"), (False, False, True, True, False)
        items.append(Table(columns, numeric, rows, note))
    else:
        items.append(Paragraph(f"Nothing stands out at the end of {counted(state.records, 'record')}."))
    items += exciting_items(view)
    items += [Paragraph(f"{line[:1].upper()}{line[1:]}.") for line in state.missing]
    found = {entry.standing for entry in state.entries}
    caption = "; ".join(f"{standing}: {words}" for standing, words in _WORDS.items() if standing in found)
    said = (
        "" if shades is None else CAPTION,
        ZEROS_CAPTION if zeros else "",
        f"{caption[:1].upper()}{caption[1:]}." if caption else "",
    )
    words = " ".join(filter(None, said))
    return Section(f"{view.prefix}-filters", "Filters", words, tuple(items), "" if shades is None else HINT)


def _row(entry: StateEntry) -> Row:
    known = [at for at in entry.since if at is not None]
    since = f"{min(known):,}" + (f"–{max(known):,}" if max(known) != min(known) else "") if known else ""
    shown = ", ".join(map(str, entry.filters[:MOST_NUMBERS]))
    more = len(entry.filters) - MOST_NUMBERS
    return Row(
        (
            str(entry.standing),
            safe(entry.layer, 120),
            f"{len(entry.filters):,} of {entry.of:,}" if entry.filters else "all",
            since,
            f"{shown} and {more:,} more" if more > 0 else shown,
        ),
        iteration=min(known) if known else None,
    )


def filter_maps(view: View) -> FilterMaps | None:
    """Return the filters of some layers over time; None in a run that holds no value of filters."""
    layers = view.query.structure().layers
    if not layers or view.info.records == 0:
        return None
    axis = view.record_axis.with_columns(min(MOST_COLUMNS, view.record_axis.columns))
    chosen = _chosen(view, tuple(layer for layer in layers if layer.index not in view.frozen) or layers)
    for statistic in SHOWN:
        try:
            maps = tuple(_map(view, layer, statistic, group, filters, axis) for layer, group, filters in chosen)
        except NotRecordedError:
            continue
        if any(np.isfinite(one.courses.values).any() for one in maps):  # no update is known at the first record
            return _shown(view, statistic, maps)
    return None


def activation_maps(view: View) -> list[Item]:
    """Return the share of zeros of the filters of the layers that have activations; nothing in a run without."""
    structure = view.query.structure()
    if not view.info.activations or view.info.records == 0:
        return []
    places = zip(structure.layers, structure.activations, strict=True)
    layers = tuple(layer for layer, place in places if place.has_zeros)
    axis = view.record_axis.with_columns(min(MOST_COLUMNS, view.record_axis.columns))
    maps = tuple(_map(view, layer, ZEROS, group, filters, axis) for layer, group, filters in _chosen(view, layers))
    return [_shown(view, ZEROS, maps, "-zeros")] if maps else []


def _shown(view: View, statistic: str, maps: tuple[FilterMap, ...], ending: str = "") -> FilterMaps:
    quantity = _QUANTITIES.get(statistic, title_of(statistic))
    strongest = max(maps, key=lambda shown: _strongest(shown.courses))
    description = f"The {quantity} of filters of {counted(len(maps), 'layer')} over the iterations, as shades"
    times = _strongest(strongest.courses)
    if times > 0:
        first = strongest.names[strongest.courses.times.tolist().index(times)]
        description += f"; farthest from its usual place was filter {first} of {strongest.layer}, {_times(times)}"
    return FilterMaps(f"{view.prefix}-filter-maps{ending}", f"{description}.", quantity, maps, view.stage_changes)


def _strongest(courses: FilterCourses) -> float:
    return max((times for times in courses.times.tolist() if math.isfinite(times)), default=0.0)


def _times(times: float) -> str:
    return f"×{number_text(times)}"


def _chosen(view: View, layers: tuple[Layer, ...]) -> list[tuple[Layer, str, tuple[int, ...]]]:
    """Return the layers to show, why, and the filters of each that incidents name: those in incidents first."""
    by_name = {layer.name: layer for layer in layers}
    named: dict[str, list[int]] = {}
    for incident in view.incidents:
        for place, name in enumerate(incident.layers):
            if name in by_name:
                named.setdefault(name, []).extend(incident.filters if place == 0 else ())
    chosen = [(by_name[name], "in incidents", tuple(filters)) for name, filters in list(named.items())[:MOST_LAYERS]]
    others = [layer for layer in layers if layer.name not in named]
    missing = min(FEW_LAYERS - len(chosen), len(others))
    if missing > 0:  # from the first to the last, equally far from each other
        places = [round(k * (len(others) - 1) / max(1, missing - 1)) for k in range(missing)]
        chosen += [(others[place], "in no incident", ()) for place in dict.fromkeys(places)]
    return chosen


def _map(view: View, layer: Layer, statistic: str, group: str, filters: tuple[int, ...], axis: TimeAxis) -> FilterMap:
    courses = view.query.filter_courses(layer.index, statistic, axis, MOST_FILTERS, filters)
    about = tuple(_times(times) if math.isfinite(times) else "" for times in courses.times.tolist())
    names = tuple(f"{index:,}" for index in courses.filters.tolist())
    return FilterMap(safe(layer.name, 80), group, layer.filters, names, about, courses)


def exciting_items(view: View) -> list[Item]:
    """Return a gallery for each of some filters; nothing in a run without activations."""
    if not view.info.activations:
        return []
    layers = {layer.name: layer for layer in view.query.structure().layers}
    wanted: dict[tuple[str, int], tuple[int, str]] = {}
    for incident in view.verdict.worst:
        if incident.layers and incident.layers[0] in layers:
            for filter in incident.filters[:A_CAUSE]:
                said = f"of an incident at {incident.first:,}"
                wanted.setdefault((incident.layers[0], filter), (incident.first, said))
    for layer in layers.values():
        silent = sorted(view.query.silent_filters(layer.index).items(), key=lambda one: one[1])
        for filter, since in silent[:A_CAUSE]:
            wanted.setdefault((layer.name, filter), (since, f"silent since {since:,}"))
    found = (_exciting(view, layers[name], filter, *why) for (name, filter), why in wanted.items())
    return list[Item]([gallery for gallery in found if gallery is not None][:MOST_GALLERIES])


def _exciting(view: View, layer: Layer, filter: int, iteration: int, said: str) -> Gallery | None:
    validations = view.query.validation_iterations()
    for at in reversed(validations[validations <= iteration].tolist()[-LOOKED_BACK:]):
        images = view.query.exciting_images(layer.index, filter, at).tolist()
        if images:
            title = f"Filter {filter} of {safe(layer.name, 80)}, {said}: what excited it most at {at:,}"
            return Gallery(title, tuple(_excited(view, image, at, rank) for rank, image in enumerate(images, 1)))
    return None


def _excited(view: View, image: int, iteration: int, rank: int) -> Thumbnail:
    verdict = view.query.image_verdict(image, iteration)
    name = view.class_name(verdict.target)
    if verdict.label is None:
        line = "not judged"
    elif verdict.label == verdict.target:
        line = "right"
    else:
        line = f"taken for {view.class_name(verdict.label)}"
    about = f"image {safe(verdict.id, 60)} of {view.called(verdict.target)}, number {rank} for the filter: {line}"
    return Thumbnail("" if verdict.pixels is None else thumbnail(verdict.pixels), name, (line,), about)
