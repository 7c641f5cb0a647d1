"""Which entries of the review a list shows, and in which order."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from dtui.model.findings.review import Entry
from dtui.tui.state.places.search import find_matches

BY_TIME, BY_STRENGTH, BY_STATUS = "time", "strength", "status"
ORDERS: Mapping[str, str] = {
    BY_TIME: "in order of time",
    BY_STRENGTH: "the strongest first",
    BY_STATUS: "new ones first, then flagged ones",
}
"""How each order is called."""
_STATUSES = ("new", "flagged", "dismissed")


def listed(entries: Sequence[Entry], order: str, search: str, words: Callable[[Entry], str]) -> tuple[Entry, ...]:
    """Return the entries that a search finds, in an order.

    A search is words with a space between: every one of them, a regular expression, must be found, in any order; with
    "!" before it, none. So "status:new layer3" finds the new ones that name layer3.

    Args:
        entries: In order of time.
        order: Of ORDERS; entries that are alike in it stay in order of time.
        search: "" for all.
        words: What an entry says.
    """
    if search:
        texts = [
            f"status:{one.status} {one.iteration} {one.kind}: {words(one)} {' '.join(one.layers)} {one.note}"
            for one in entries
        ]
        found = frozenset.intersection(*(find_matches(word, texts) for word in search.split() or [""]))
        entries = [entry for place, entry in enumerate(entries) if place in found]
    if order == BY_STRENGTH:
        entries = sorted(entries, key=lambda entry: -entry.score)
    elif order == BY_STATUS:
        entries = sorted(entries, key=lambda entry: _STATUSES.index(entry.status))
    return tuple(entries)
