"""What the tree says in words: the state of the whole network, and of the selected row."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dtui.model import RunState
from dtui.model.findings.state import Standing, StateEntry
from dtui.model.layers import HEALTHY_RATIOS, InitialStd
from dtui.number_text import counted
from dtui.safe_text import safe
from dtui.tui.renderables.canvas.cells import text_width
from dtui.tui.renderables.parts.chrome import number

MOST_NUMBERS = 12
HEALTHY_WORDS = "1e-4 to 1e-2"
STANDING_WORDS = {
    Standing.DEAD: "dead",
    Standing.SILENT: "silent",
    Standing.MOVING: "still moving",
    Standing.UNCHANGED: "unchanged",
    Standing.FROZEN: "stopped changing",
    Standing.NO_GRADIENT: "without a gradient",
    Standing.LATE_STARTER: "late starters",
    Standing.UNTRAINED: "frozen from the start",
}


def ratio_words(ratio: float, is_frozen: bool = False, is_recorded: bool = True) -> tuple[str, ...]:
    """Return an update ratio and whether it is healthy, ever shorter; of what is frozen and does not change only that.

    Args:
        ratio: NaN for none.
        is_frozen: Whether it was never set to be trained.
        is_recorded: Whether updates were recorded, without which no row has a ratio.
    """
    if is_frozen and not ratio > 0:
        return (STANDING_WORDS[Standing.UNTRAINED],)
    if not is_recorded:
        return ("no update ratio, for updates were not recorded", "updates were not recorded")
    if not np.isfinite(ratio):
        return ("no update ratio here",)
    low, high = HEALTHY_RATIOS
    if ratio == 0:
        return ("update ratio 0: it does not change",)
    value = number(ratio)
    if low <= ratio <= high:
        return (f"update ratio {value}, healthy ({HEALTHY_WORDS})", f"update ratio {value}, healthy")
    side = "below" if ratio < low else "above"
    said = f"{value}, {side} the healthy {HEALTHY_WORDS}"
    return (f"update ratio {said}", f"ratio {said}", f"update ratio {value}, {side} healthy")


def starts_words(starts: InitialStd | None) -> tuple[str, ...]:
    """Return where weights would start after He, Xavier and torch, ever shorter; nothing where that is not known."""
    if starts is None:
        return ()
    told = [(who, number(value)) for who, value in starts.told()]
    said = [f"{who} {'at' if place else 'would start at'} {value}" for place, (who, value) in enumerate(told)]
    return (", ".join(said), ", ".join(said[:2]), said[0])


def numbers_words(filters: Sequence[int], most: int = MOST_NUMBERS) -> str:
    """Return filter numbers, such as "1 4 5 8 11 14"; of many the first, and how many more."""
    shown = " ".join(f"{one:,}" for one in filters[:most])
    return shown if len(filters) <= most else f"{shown} and {len(filters) - most:,} more"


def since_words(entry: StateEntry) -> str:
    """Return since when, such as "since 1,010"; "" where that is not known."""
    known = sorted(since for since in entry.since if since is not None)
    if not known:
        return ""
    return f"since {known[0]:,}" if known[0] == known[-1] else f"since {known[0]:,}–{known[-1]:,}"


def network_lines(state: RunState | None, filters: int) -> tuple[str, ...]:
    """Return what stands out in the whole network, in one line: the most telling first, ever shorter ones after it.

    Args:
        state: None while it loads.
        filters: Filters of the network.
    """
    if state is None:
        return ("looking for dead filters …",)
    if not state.entries:
        lacking = "; ".join(state.missing)
        return (lacking or "no filter is dead, every layer changes, none is still moving alone", *state.missing[:1])
    return tuple(_line(state, filters, detail) for detail in (3, 2, 1, 0))


def _line(state: RunState, filters: int, detail: int) -> str:
    parts = []
    for standing, words in STANDING_WORDS.items():
        entries = [entry for entry in state.entries if entry.standing is standing]
        if not entries:
            if standing is Standing.DEAD and not state.missing:
                parts.append("none dead")
            continue
        if entries[0].filters:
            count = sum(len(entry.filters) for entry in entries)
            said = f"{count:,} of {filters:,} filters {words}"
            places = [_place(entry, detail) for entry in entries]
        else:
            said = f"{counted(len(entries), 'layer')} {words}"
            places = [safe(entry.layer) for entry in entries]
        most = {3: 1_000, 2: 1_000, 1: 2, 0: 0}[detail]
        if most:
            more = f", {counted(len(places) - most, 'more layer')}" if len(places) > most else ""
            said += f": {', '.join(places[:most])}{more}"
        parts.append(said)
    return " · ".join(parts)


def _place(entry: StateEntry, detail: int) -> str:
    if detail >= 3 and len(entry.filters) <= MOST_NUMBERS:
        return f"{safe(entry.layer)} {numbers_words(entry.filters)}"
    return f"{safe(entry.layer)} ({len(entry.filters):,})"


def fitting(lines: Sequence[str], room: int) -> str:
    """Return the first line that fits into `room` columns, or else the last."""
    return next((line for line in lines if text_width(line) <= room), lines[-1] if lines else "")
