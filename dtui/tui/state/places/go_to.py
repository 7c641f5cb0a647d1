"""Finds the places and actions that a typed line may mean: an iteration, a layer, a class, a filter, an action."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np

from dtui.dataclass_on_use import dataclass
from dtui.model.layers import layer_called
from dtui.safe_text import safe
from dtui.tui.state.navigate import shown
from dtui.tui.state.pane import Pane, Scene, Shows, Step
from dtui.tui.state.places.plain_words import asked
from dtui.tui.state.places.remark import Remark
from dtui.tui.state.review.entry_steps import entry_at
from dtui.tui.state.selection import Selection

NUMBER = re.compile(r"@?\s*([0-9][0-9,_ ]*)\Z")
FILTER = re.compile(r"f(?:ilter)?\s*([0-9]+)\Z", re.IGNORECASE)


@dataclass(frozen=True, eq=False)
class Place:
    """Something that a line may mean.

    Attributes:
        words: What it is; safe to show.
        hint: What it does.
        action: Id of an action; None for a step.
        step: Where it leads; None for an action.
        pane: The pane whose step it is; None for a step of every screen.
        keys: What it can be had by too, as written on the screen.
    """

    words: str
    hint: str
    action: str | None = None
    step: Step | None = None
    pane: Pane | None = None
    keys: str = ""


def places(scene: Scene, line: str, most: int) -> list[Place]:
    """Return what a line may mean, the best first, at most `most`; of an empty line, actions, the pane's first."""
    wanted = asked(line)
    every = scene.once("every place", lambda: tuple(_every(scene)))  # the same at each letter
    found = [*_iterations(scene, wanted.short), *_filters(scene, wanted.short)]
    ranked = [
        (rank, order, place)
        for order, place in enumerate(every)
        if (rank := wanted.rank(place.words, place.hint)) is not None
    ]
    ranked.sort(key=lambda entry: entry[:2])
    return (found + [place for _, _, place in ranked])[:most]


def _every(scene: Scene) -> Iterator[Place]:
    here = {id_: words for ids, words in scene.pane.keys(scene) for id_ in ids}
    own = [scene.table.by_id[id_] for id_ in here]
    for action in dict.fromkeys((*own, *scene.pane.actions, *scene.table.actions)):
        enters = here.get(action.id) if action.id == "fold_toggle" else None
        yield Place(enters or action.words, action.help, action=action.id, keys=action.shown_keys)
    for pane in sorted(scene.table.panes, key=lambda pane: pane.lists_entries):  # they name what the others offer
        for words, help_, step in scene.asked(pane, lambda pane, scene: tuple(pane.choices(scene))) or ():
            yield Place(words, help_, step=step, pane=pane)


def _iterations(scene: Scene, line: str) -> Iterator[Place]:
    """Yield the recorded iteration that shows what was at a number."""
    match = NUMBER.match(line)
    if match is None or scene.view.is_empty:
        return
    digits = re.sub(r"[,_ ]", "", match[1])[:18]
    found, hint = recorded(scene, int(digits))
    yield Place(
        f"iteration {found:,}", hint.alone if hint is not None else "", step=partial(_to_what_is_there, iteration=found)
    )


def recorded(scene: Scene, asked: int) -> tuple[int, Remark | None]:
    """Return the recorded iteration that shows what was at one, and what to say where it is another.

    What happens between two records shows in the one after it: that, if an incident begins there; else the nearest.
    The run is not empty.
    """
    iterations = scene.view.iterations
    after = iterations[np.searchsorted(iterations, asked) :][:1]
    if any(entry.iteration == shows for shows in after for entry in scene.entries):
        found, where = int(after[0]), f"what happened then shows at {int(after[0]):,}"
    else:
        found, where = int(iterations[int(np.argmin(np.abs(iterations - asked)))]), "this is the nearest"
    if found == asked:
        return found, None
    return found, Remark(f"nothing was recorded at {asked:,}; {where}", f"no record at {asked:,}; {where}")


def _to_what_is_there(scene: Scene, iteration: int) -> Selection:
    """Return the selection on an iteration and on the entry that lies there; the rows of all panes stay."""
    entry = entry_at(scene, iteration)
    there = scene if entry is None else scene.at(scene.selection.changed(entry=entry.id))
    return to_iteration(there, iteration)


def to_iteration(scene: Scene, iteration: int) -> Selection:
    """Return the selection with the crosshair on an iteration."""
    return shown(scene.selection.with_cursor(iteration), scene)


def _filters(scene: Scene, line: str) -> Iterator[Place]:
    """Yield a filter of the selected layer."""
    match, tree = FILTER.match(line), scene.view.tree
    if match is None or not tree:
        return
    node, row = tree[scene.selection.node], int(match[1][:9])
    if row < node.filters:
        pane = next((pane for pane in scene.table.panes if pane.shows is Shows.FILTERS), None)
        if pane is not None:
            yield Place(
                f"filter {row} of {safe(layer_called(node.name))}",
                "",
                step=partial(_to_row, pane=pane, row=row),
                pane=pane,
            )


def _to_row(scene: Scene, pane: Pane, row: int) -> Selection:
    return pane.select(scene, row)


def hints(found: Sequence[Place]) -> list[tuple[str, str, str]]:
    """Return places as suggestions for the command line."""
    return [(place.words, place.keys, place.hint) for place in found]
