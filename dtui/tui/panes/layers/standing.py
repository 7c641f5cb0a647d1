"""Finds what stands out at the end of the run: in words below a node, and by `:dead` and the like, layer by layer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache, partial
from typing import Generic, TypeVar

from dtui.dataclass_on_use import dataclass
from dtui.model import RunState, TreeNode
from dtui.model.findings.state import Standing
from dtui.number_text import counted
from dtui.safe_text import safe
from dtui.tui.panes.layers.questions import StateQuestion
from dtui.tui.renderables.panes.layers.tree_words import STANDING_WORDS, numbers_words, since_words
from dtui.tui.state.pane import Scene, Step
from dtui.tui.state.selection import Selection

OFFERED = {
    Standing.DEAD: "dead filters",
    Standing.MOVING: "filters still moving",
    Standing.FROZEN: "layers that stopped",
}
"""What a person may go to, in words that begin as they are looked for."""
LISTED = (Standing.DEAD, Standing.SILENT, Standing.MOVING, Standing.LATE_STARTER)
"""What the list at the foot of the filters tells."""
COUNTED = {"dead": "dead filters", "moving": "moving filters", "late start": "late starters"}
"""What is counted beside the filters, and what that is called where it could not be judged."""
NONE_BELOW = {"dead filters": "no filter is dead", "moving filters": "none is still moving alone"}
"""What is said where none of a kind is found, if the kind could be judged."""
SameT = TypeVar("SameT")
ToNode = Callable[[Scene, int], Selection]
"""Returns the selection on a node of the tree."""


def places_that_stand_out(scene: Scene, to_node: ToNode) -> Iterator[tuple[str, str, Step]]:
    """Yield the entries of the command palette: each goes to the next layer of which that is so."""
    state = scene.answers.get(StateQuestion)
    for standing, words in OFFERED.items():
        found = f": {_how_many(state, standing)}" if state is not None and state.tells(words) else ""
        about = f"Go to the next layer that has any: {STANDING_WORDS[standing]} at the end of the run."
        yield words + found, about, partial(_to_next, standing=standing, to_node=to_node)


def _how_many(state: RunState, standing: Standing) -> str:
    """Return how many there are, such as "7 in 2 layers"."""
    entries = [entry for entry in state.entries if entry.standing is standing]
    filters = sum(len(entry.filters) for entry in entries)
    where = f" in {counted(len(entries), 'layer')}" if filters else ""
    return f"{filters or len(entries):,}{where}" if entries else "none"


def _to_next(scene: Scene, standing: Standing, to_node: ToNode) -> Selection:
    """Return the selection on the next layer of which it is so, after the last on the first; else it stays."""
    state, here = scene.answers.get(StateQuestion), scene.selection.node
    names = {one.layer for one in state.entries if one.standing is standing} if state is not None else set()
    nodes = [node.index for node in scene.view.tree if node.layer is not None and node.name in names]
    if not nodes:
        return scene.selection
    return to_node(scene, next((node for node in nodes if node > here), nodes[0]))


@dataclass(frozen=True, slots=True)
class StandingBelow:
    """What stands out among the filters of a node.

    Attributes:
        moving: Filters of the node that still move.
        lines: The list at the foot, ever shorter: filters that are dead, still moving, or started late.
        stands_out: Whether the list tells of any.
        untold: What of COUNTED is not known: not judged, or not yet.
    """

    moving: frozenset[int]
    lines: tuple[str, ...]
    stands_out: bool
    untold: frozenset[str] = frozenset()


def standing_below(scene: Scene, node: TreeNode) -> StandingBelow:
    """Return what stands out below a node; kept while the crosshair moves."""
    return _standing_below(_Same(scene.answers.get(StateQuestion)), _Same(scene.view.tree), _Same(node))


class _Same(Generic[SameT]):
    """A value that is known by which one it is: to compare or hash all of it takes longer than to use it."""

    def __init__(self, value: SameT) -> None:
        self.value = value

    def __hash__(self) -> int:
        return id(self.value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.value is self.value


@lru_cache(maxsize=2)
def _standing_below(
    state: _Same[RunState | None], tree: _Same[tuple[TreeNode, ...]], of: _Same[TreeNode]
) -> StandingBelow:
    found, node = state.value, of.value
    if found is None:
        return StandingBelow(frozenset(), ("looking for dead filters …",), False, frozenset(COUNTED))
    untold = frozenset(word for word, what in COUNTED.items() if not found.tells(what))
    below = {one.name: one for one in tree.value if one.layer is not None and one.layer in node.layers}
    entries = [
        (entry, below[entry.layer].first_filter - node.first_filter)
        for standing in LISTED
        for entry in found.entries
        if entry.standing is standing and entry.layer in below and entry.filters
    ]
    moving = frozenset(
        first + filter for entry, first in entries if entry.standing is Standing.MOVING for filter in entry.filters
    )
    if not entries:
        told = [words for what, words in NONE_BELOW.items() if found.tells(what)]
        return StandingBelow(
            moving, (", and ".join(told) or "; ".join(found.missing), *found.missing[:1]), False, untold
        )
    lines = []
    for most in (40, 12, 6, 0):
        parts = []
        for entry, _ in entries:
            place = f"{safe(entry.layer)} " if len(node.layers) > 1 else ""
            many, what = len(entry.filters), STANDING_WORDS[entry.standing]
            what = what.removesuffix("s") if many == 1 else what
            if most:  # what is a number of a filter and what a count can be told apart
                which = f"filter{'s' * (many > 1)} {numbers_words(entry.filters, most)}"
                parts.append(f"{place}{which} {what} {since_words(entry)}".strip())
            else:
                parts.append(f"{place}{many:,} {what}")
        lines.append(" · ".join(parts))
    return StandingBelow(moving, tuple(lines), True, untold)
