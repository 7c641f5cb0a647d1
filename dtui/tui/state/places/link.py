"""A link to a place in a run: what `dtui RUN --at … --class … --layer …` opens, and what the key y copies."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from dtui.dataclass_on_use import dataclass
from dtui.model.findings.review import INCIDENTS
from dtui.safe_text import can_be_typed
from dtui.tui.renderables.canvas.cells import shorten, shorten_middle, text_width
from dtui.tui.state.pane import Scene, Shows


@dataclass(frozen=True, slots=True)
class Link:
    """A place in a run, as a person typed it; None for what was not named.

    Attributes:
        at: Iteration.
        class_name: Name of a class, or its label.
        layer: Name of a layer or module.
        filter: Index of a filter of that layer.
        image: Number of a validation image.
        listed: A list of images, such as "always-wrong".
        incident: Id of an incident, or of an anomaly.
        screen: Name of a screen, see `screen_word`.
        zoom: First iteration and stop of the time that is shown.
    """

    at: int | None = None
    class_name: str | None = None
    layer: str | None = None
    filter: int | None = None
    image: int | None = None
    listed: str | None = None
    incident: str | None = None
    screen: str | None = None
    zoom: tuple[int, int] | None = None


LEAST_OF_PATH = 8
"""Columns of a run's path where a message has no room for it."""
LEAST_OF_WORD = 6
"""Columns of a name there."""
OPTIONS = {"class_name": "--class", "layer": "--layer", "filter": "--filter", "image": "--image", "listed": "--list"}
"""How a command says each part of a place that panes know of, in the order in which it is written."""


def screen_word(name: str) -> str:
    """Return what a link calls a screen: "validation", "filter-and-images"."""
    return name.casefold().replace(" ", "-")


def link_words(scene: Scene, run: str) -> str:
    """Return the command that opens what is selected now, on the same screen.

    It names the layer or the class that the screen shows, or on other screens that of the selected entry. A class whose
    name cannot be typed is given by its label; a layer whose name cannot be typed is left out.
    """
    import shlex

    selection, view, screen = scene.selection, scene.view, scene.screen
    entry = view.find_entry(selection.entry)
    entry = entry if entry is not None and entry.is_at(selection.cursor) else None
    place = _place(scene)
    others = [str(path) for path in place.pop("others", ())]
    parts = ["dtui", run, *others, "--at", str(selection.cursor)]
    for name, option in OPTIONS.items():
        if name in place:
            parts += [option, str(place[name])]
    led_to = _led_to(scene, place)
    is_elsewhere = screen.name != led_to
    if entry is not None and (is_elsewhere or selection.listing != INCIDENTS) and can_be_typed(entry.id):
        parts += ["--incident", entry.id]
    if is_elsewhere:
        parts += ["--screen", screen_word(screen.name)]
    if selection.window is not None:
        first, stop = selection.window
        parts += ["--zoom", f"{math.floor(first)}-{math.ceil(stop)}"]
    return shlex.join(parts)


def copied_words(link: str, run: Path, room: int) -> str:
    """Return that a link was copied, in at most `room` columns; what was copied is whole.

    Where that is too long the run's path loses its middle, so that the place stays; then all of it, and so do long
    words of the place.
    """
    import shlex

    words, path = f"copied: {link}", shlex.quote(str(run))
    spare = text_width(path) - max(0, text_width(words) - room)
    words = words.replace(path, shorten_middle(path, max(LEAST_OF_PATH, spare)), 1)
    place = [shlex.quote(one) for one in shlex.split(link)[2:]]
    most = max(map(text_width, place), default=0)
    while text_width(words) > room and most >= LEAST_OF_WORD:
        shown = (one if one.startswith("--") else shorten_middle(one, most) for one in place)
        words, most = f"copied: dtui … {' '.join(shown)}", most - 1
    return shorten(words, room)


def _place(scene: Scene) -> dict[str, Any]:
    """Return what the panes of the screen say about the place, by the names of `Link`."""
    selection, view = scene.selection, scene.view
    shown = {pane.shows for pane in scene.screen.panes}
    entry = view.find_entry(selection.entry)
    entry = entry if entry is not None and entry.is_at(selection.cursor) else None
    has_layers, has_classes = bool(shown & {Shows.LAYERS, Shows.FILTERS}), Shows.CLASSES in shown
    own: dict[str, Any] = {}
    for pane in (*(one for one in scene.screen.panes if one is not scene.pane), scene.pane):
        own.update(scene.asked(pane, lambda pane, scene: pane.linked(scene)) or {})
    if not (has_layers or has_classes or own) and entry is not None:
        has_layers, has_classes = bool(entry.layers), bool(entry.classes)
    label, node = selection.class_index, view.tree[selection.node] if view.tree else None
    place: dict[str, Any] = {}
    if has_classes and label is not None and label < len(view.classes):
        name = view.classes[label]
        place["class_name"] = name if can_be_typed(name) and view.classes.count(name) == 1 else label
    if has_layers and node is not None:
        place["layer"] = node.name
        if entry is not None and entry.filters and entry.layer == node.name:
            place["filter"] = entry.filters[0]
    place.update(own)
    if not can_be_typed(str(place.get("layer", "any"))):
        del place["layer"]
        place.pop("filter", None)
    return place


def _led_to(scene: Scene, place: dict[str, Any]) -> str:
    """Return the name of the screen that a place opens if no screen is named."""
    leading = next((name for name in ("listed", "image") if name in place), None)
    if leading is not None:
        return next((one.name for one in scene.table.every_screen for pane in one.panes if pane.leads == leading), "")
    what = Shows.CLASSES if "class_name" in place else Shows.LAYERS if "layer" in place else None
    screens = (one for one in scene.table.screens if what is None or any(pane.shows is what for pane in one.panes))
    return next((one.name for one in screens), "")
