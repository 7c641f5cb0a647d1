"""Goes to what stands out at the end of the run: `:dead` and the like, layer by layer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from dtui.model.findings.state import Standing
from dtui.tui.panes.layers.questions import StateQuestion
from dtui.tui.renderables.panes.layers.tree_words import STANDING_WORDS
from dtui.tui.state.pane import Scene, Step
from dtui.tui.state.selection import Selection

OFFERED = {
    Standing.DEAD: "dead filters",
    Standing.MOVING: "filters still moving",
    Standing.FROZEN: "layers that stopped",
}
"""What a person may go to, in words that begin as they are looked for."""
ToNode = Callable[[Scene, int], Selection]
"""Returns the selection on a node of the tree."""


def places_that_stand_out(to_node: ToNode) -> Iterator[tuple[str, str, Step]]:
    """Yield the entries of the command palette: each goes to the next layer of which that is so."""
    for standing, words in OFFERED.items():
        about = f"Go to the next layer that has any: {STANDING_WORDS[standing]} at the end of the run."
        yield words, about, partial(_to_next, standing=standing, to_node=to_node)


def _to_next(scene: Scene, standing: Standing, to_node: ToNode) -> Selection:
    """Return the selection on the next layer of which it is so, after the last on the first; else it stays."""
    state, here = scene.answers.get(StateQuestion), scene.selection.node
    names = {one.layer for one in state.entries if one.standing is standing} if state is not None else set()
    nodes = [node.index for node in scene.view.tree if node.layer is not None and node.name in names]
    if not nodes:
        return scene.selection
    return to_node(scene, next((node for node in nodes if node > here), nodes[0]))
