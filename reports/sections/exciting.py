"""The images that excite filters most: those of filters that incidents name, and what silent filters saw before."""

from __future__ import annotations

from dtui.model import Layer
from dtui.reports.charts.raster import thumbnail
from dtui.reports.document import Gallery, Item, Thumbnail
from dtui.reports.sections.registry import View
from dtui.safe_text import safe

MOST_GALLERIES = 6
A_CAUSE = 2
"""Filters of one incident, or of the silent ones of one layer."""
LOOKED_BACK = 3
"""Validations that are looked at, backwards, for one at which the filter let something through."""


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
    found = (_gallery(view, layers[name], filter, *why) for (name, filter), why in wanted.items())
    return list[Item]([gallery for gallery in found if gallery is not None][:MOST_GALLERIES])


def _gallery(view: View, layer: Layer, filter: int, iteration: int, said: str) -> Gallery | None:
    validations = view.query.validation_iterations()
    for at in reversed(validations[validations <= iteration].tolist()[-LOOKED_BACK:]):
        images = view.query.exciting_images(layer.index, filter, at).tolist()
        if images:
            title = f"Filter {filter:,} of {safe(layer.name, 80)}, {said}: what excited it most at {at:,}"
            return Gallery(title, tuple(_image(view, image, at, rank) for rank, image in enumerate(images, 1)))
    return None


def _image(view: View, image: int, iteration: int, rank: int) -> Thumbnail:
    verdict = view.query.image_verdict(image, iteration)
    name = view.class_name(verdict.target)
    if verdict.label is None:
        line = "not judged"
    elif verdict.label == verdict.target:
        line = "right"
    else:
        line = f"taken for {view.class_name(verdict.label)}"
    about = f"image {safe(verdict.id, 60)} of {name}, number {rank} for the filter: {line}"
    return Thumbnail("" if verdict.pixels is None else thumbnail(verdict.pixels), name, (line,), about)
