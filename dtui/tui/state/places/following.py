"""Follows a link: finds its place in the run, or the nearest, and says what is not there."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict

from dtui.model.findings.review import INCIDENTS, Entry
from dtui.model.judging import class_called
from dtui.safe_text import safe
from dtui.tui.state.pane import Pane, Scene, Shows
from dtui.tui.state.places.go_to import recorded, to_iteration
from dtui.tui.state.places.link import Link, screen_word
from dtui.tui.state.places.remark import Remark, missing
from dtui.tui.state.review.entry_steps import entry_at, select_entry
from dtui.tui.state.selection import Selection


def follow(scene: Scene, link: Link) -> tuple[Selection, list[Remark]]:
    """Return the selection on a link's place, or on the nearest, and what is not there.

    The incident of a link, or at its iteration, is selected with all that it names, if it is known already.
    """
    said: list[Remark] = []
    at, why = (None, None) if link.at is None or scene.view.is_empty else recorded(scene, link.at)
    entry = entry_of(scene, link)
    listing = scene.selection.listing if entry is None else _listing_of(scene, entry)
    scene = scene.at(scene.selection.changed(entry=None, listing=listing))
    if entry is not None:
        scene = scene.at(select_entry(scene, entry.id))
    if at is not None:
        said += [why] if why is not None else []
        scene = scene.at(to_iteration(scene, at))
    if link.layer is not None:
        scene = _to_layer(scene, link.layer, said)
    if link.filter is not None:
        scene = _to_filter(scene, link.filter, said)
    if link.class_name is not None:
        scene = _to_class(scene, link.class_name, said)
    scene = _to_screen(scene, link, said)
    if link.zoom is not None:
        first, stop = map(float, link.zoom)
        scene = scene.at(to_iteration(scene.at(scene.selection.changed(window=(first, stop))), scene.selection.cursor))
    return scene.selection, said


def entry_of(scene: Scene, link: Link) -> Entry | None:
    """Return the entry of the review that a link is about: by its id, else the one that lies at its iteration."""
    if link.incident is not None:
        return scene.view.find_entry(link.incident)
    if link.at is None or scene.view.is_empty:
        return None
    return entry_at(scene, recorded(scene, link.at)[0])


def nearest_entry(scene: Scene, link: Link) -> Entry | None:
    """Return the incident that lies nearest to where a link's own one, which is not there, says that it was."""
    number = re.search(r"\d{1,18}", link.incident or "")
    at = link.at if link.at is not None else int(number[0]) if number else scene.selection.cursor
    return min(scene.view.entries.get(INCIDENTS, ()), key=lambda one: abs(one.iteration - at), default=None)


def _listing_of(scene: Scene, entry: Entry) -> str:
    return next(listing for listing, entries in scene.view.entries.items() if entry in entries)


def _to_layer(scene: Scene, name: str, said: list[Remark]) -> Scene:
    tree = scene.view.tree
    names = [node.name for node in tree]
    if name in names:
        node = names.index(name)
    else:
        near = [place for place, other in enumerate(names) if other.startswith(name) or name.startswith(f"{other}.")]
        near = near or _alike(name, names)
        said.append(missing(f"layer {safe(name, 40)}", safe(names[near[-1]], 40) if near else ""))
        if not near:
            return scene
        node = near[-1]
    return scene.at(_pane(scene, Shows.LAYERS, scene.selection.changed(node=node)))


def _to_filter(scene: Scene, row: int, said: list[Remark]) -> Scene:
    node = scene.view.tree[scene.selection.node] if scene.view.tree else None
    pane = _first(scene, Shows.FILTERS)
    count = 0 if node is None else node.filters
    if not 0 <= row < count:
        more = f": the layer has {count:,}" + (f", this is {count - 1:,}" * (count > 0))
        said.append(missing(f"filter {row}", more=more))
    if pane is None or not count:
        return scene
    return scene.at(pane.select(scene.at(scene.with_pane(pane)), max(0, min(row, count - 1))))


def _to_class(scene: Scene, name: str, said: list[Remark]) -> Scene:
    classes: Sequence[str] = scene.view.classes
    if name in classes:
        label = classes.index(name)
    elif name.isdecimal() and int(name[:9]) < len(classes):
        label = int(name)
    else:
        near = [len(classes) - 1] if name.isdecimal() and classes else _alike(name, classes)
        said.append(missing(class_called(safe(name, 40)), safe(classes[near[0]], 40) if near else ""))
        if not near:
            return scene
        label = near[0]
    return scene.at(_pane(scene, Shows.CLASSES, scene.selection.changed(class_index=label)))


def _alike(name: str, names: Sequence[str]) -> list[int]:
    """Return the place of the name that is spelled most alike; none where none is."""
    from difflib import get_close_matches  # needed for few links

    return [names.index(one) for one in get_close_matches(name[:200], names, 1)]


def _to_screen(scene: Scene, link: Link, said: list[Remark]) -> Scene:
    """Go to the screen that a link names, or that a part of it leads to, and take each part that its panes know of."""
    table, place = scene.table, asdict(link)
    screens = {screen_word(screen.name): at for at, screen in enumerate(table.every_screen)}
    wanted = screens.get(screen_word(link.screen or ""))
    if link.screen is not None and wanted is None:
        near = _alike(screen_word(link.screen), list(screens))
        wanted = screens[list(screens)[near[0]]] if near else None
        instead, more = (
            ("", f"; give {', '.join(screens)}") if wanted is None else (table.every_screen[wanted].name, "")
        )
        said.append(missing(f"screen {safe(link.screen, 40)}", instead, more))
    if link.screen is None:
        led = [
            at for at, one in enumerate(table.every_screen) for pane in one.panes if place.get(pane.leads) is not None
        ]
        wanted = led[0] if led else None
    if wanted is not None and wanted != scene.selection.screen:
        screen = table.every_screen[wanted]
        is_inner = wanted >= len(table.screens)
        there = scene.selection.on_screen(wanted)
        scene = scene.at(scene.opened(screen.name) if is_inner else there)
    for pane in scene.screen.panes:
        found = scene.asked(pane, lambda pane, scene: pane.follow(scene, place))
        if found is not None:
            scene = scene.at(found[0])
            said += [found[1]] if found[1] is not None else []
    return scene


def _pane(scene: Scene, shows: Shows, selection: Selection) -> Selection:
    pane = _first(scene, shows)
    return selection if pane is None else scene.at(selection).with_pane(pane)


def _first(scene: Scene, shows: Shows) -> Pane | None:
    return next((pane for pane in scene.table.panes if pane.shows is shows), None)
