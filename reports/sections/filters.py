"""The section on filters: over time, and those that are dead, frozen, still moving or late at the end, by name."""

from __future__ import annotations

from dtui.model import Standing, StateEntry
from dtui.reports.document import Item, Paragraph, Row, Section, Table
from dtui.reports.sections.filter_maps import CAPTION, HINT, filter_maps
from dtui.reports.sections.registry import View, section
from dtui.safe_text import safe

MOST_ROWS = 60
MOST_NUMBERS = 16
_WORDS = {
    Standing.DEAD: "next to no gradient any more",
    Standing.MOVING: "still changing when the rest of the layer has converged",
    Standing.LATE_STARTER: "began to change long after the layer",
    Standing.UNCHANGED: "gets gradients and does not change",
    Standing.NO_GRADIENT: "never got a gradient",
    Standing.FROZEN: "gets no gradient any more",
}


@section("filters", order=100)
def filters_section(view: View) -> Section | None:
    """Return what stands out at the end, layer by layer."""
    if view.info.records == 0:
        return None
    state = view.query.state()
    shades = filter_maps(view)
    items: list[Item] = [] if shades is None else [shades]
    if state.entries:
        rows = tuple(_row(entry) for entry in state.entries[:MOST_ROWS])
        left = len(state.entries) - len(rows)
        note = f"{left:,} more lines: dtui state lists all." if left else ""
        columns, numeric = ("state", "layer", "filters", "since", "which"), (False, False, True, True, False)
        items.append(Table(columns, numeric, rows, note))
    else:
        items.append(Paragraph(f"Nothing stands out at the end of {state.records:,} records."))
    items += [Paragraph(f"{line[:1].upper()}{line[1:]}.") for line in state.missing]
    found = {entry.standing for entry in state.entries}
    caption = "; ".join(f"{standing}: {words}" for standing, words in _WORDS.items() if standing in found)
    words = ([] if shades is None else [CAPTION]) + ([f"{caption}."] if caption else [])
    return Section(f"{view.prefix}-filters", "Filters", " ".join(words), tuple(items), "" if shades is None else HINT)


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
