"""A link to a place in a run: what `dtui RUN --at … --class … --layer …` opens, and what the key y copies."""

from __future__ import annotations

from collections.abc import Sequence

from dtui.dataclass_on_use import dataclass
from dtui.safe_text import can_be_typed, safe
from dtui.tui.state.pane import Pane, Scene, Shows
from dtui.tui.state.places.go_to import nearest, to_iteration
from dtui.tui.state.selection import Selection


@dataclass(frozen=True, slots=True)
class Link:
    """A place in a run, as a person typed it; None for what was not named.

    Attributes:
        at: Iteration.
        class_name: Name of a class, or its label.
        layer: Name of a layer or module.
        filter: Index of a filter of that layer.
    """

    at: int | None = None
    class_name: str | None = None
    layer: str | None = None
    filter: int | None = None


def link_words(scene: Scene, run: str) -> str:
    """Return the command that opens what is selected now.

    It names the layer or the class that the screen shows, or on other screens that of the selected entry. A class whose
    name cannot be typed is given by its label; a layer whose name cannot be typed is left out.
    """
    import shlex

    selection, view = scene.selection, scene.view
    parts = ["dtui", run, "--at", str(selection.cursor)]
    shown = {pane.shows for pane in scene.screen.panes}
    entry = view.find_entry(selection.entry)
    entry = entry if entry is not None and entry.is_at(selection.cursor) else None
    has_layers = bool(shown & {Shows.LAYERS, Shows.FILTERS})
    has_classes = Shows.CLASSES in shown
    if not (has_layers or has_classes) and entry is not None:
        has_layers, has_classes = bool(entry.layers), bool(entry.classes)
    label, node = selection.class_index, view.tree[selection.node] if view.tree else None
    if has_classes and label is not None and label < len(view.classes):
        name = view.classes[label]
        parts += ["--class", name if can_be_typed(name) and view.classes.count(name) == 1 else str(label)]
    if has_layers and node is not None and can_be_typed(node.name):
        parts += ["--layer", node.name]
        if entry is not None and entry.filters and entry.layer == node.name:
            parts += ["--filter", str(entry.filters[0])]
    return shlex.join(parts)


def follow(scene: Scene, link: Link) -> tuple[Selection, tuple[str, ...]]:
    """Return the selection on a link's place, or on the nearest, and what is not there."""
    said: list[str] = []
    if link.at is not None and not scene.view.is_empty:
        found = nearest(scene, link.at)
        if found != link.at:
            said.append(f"nothing was recorded at {link.at:,}: this is {found:,}")
        scene = scene.at(to_iteration(scene, found))
    if link.layer is not None:
        scene = _to_layer(scene, link.layer, said)
    if link.filter is not None:
        scene = _to_filter(scene, link.filter, said)
    if link.class_name is not None:
        scene = _to_class(scene, link.class_name, said)
    entry = next((one for one in scene.entries if link.at is not None and one.is_at(scene.selection.cursor)), None)
    return scene.selection.changed(entry=None if entry is None else entry.id), tuple(said)


def _to_layer(scene: Scene, name: str, said: list[str]) -> Scene:
    tree = scene.view.tree
    names = [node.name for node in tree]
    if name in names:
        node = names.index(name)
    else:
        near = [place for place, other in enumerate(names) if other.startswith(name) or name.startswith(f"{other}.")]
        said.append(f"there is no layer {safe(name, 40)}" + (f": this is {safe(names[near[-1]], 40)}" if near else ""))
        if not near:
            return scene
        node = near[-1]
    return scene.at(_pane(scene, Shows.LAYERS, scene.selection.changed(node=node)))


def _to_filter(scene: Scene, row: int, said: list[str]) -> Scene:
    node = scene.view.tree[scene.selection.node] if scene.view.tree else None
    pane = _first(scene, Shows.FILTERS)
    if node is None or pane is None or not 0 <= row < node.filters:
        count = 0 if node is None else node.filters
        said.append(f"there is no filter {row}: the layer has {count:,}")
        return scene
    return scene.at(pane.select(scene.at(scene.with_pane(pane)), row))


def _to_class(scene: Scene, name: str, said: list[str]) -> Scene:
    classes: Sequence[str] = scene.view.classes
    if name in classes:
        label = classes.index(name)
    elif name.isdecimal() and int(name[:9]) < len(classes):
        label = int(name)
    else:
        said.append(f"there is no class {safe(name, 40)}")
        return scene
    return scene.at(_pane(scene, Shows.CLASSES, scene.selection.changed(class_index=label)))


def _pane(scene: Scene, shows: Shows, selection: Selection) -> Selection:
    pane = _first(scene, shows)
    return selection if pane is None else scene.at(selection).with_pane(pane)


def _first(scene: Scene, shows: Shows) -> Pane | None:
    return next((pane for pane in scene.table.panes if pane.shows is shows), None)
