"""The section on gaps in the recording; left out if there are none."""

from __future__ import annotations

from dtui.reports.document import Row, Section, Table
from dtui.reports.sections.registry import View, section
from dtui.safe_text import safe


@section("gaps", order=90)
def gaps_section(view: View) -> Section | None:
    """Return the gaps in the recording."""
    if not view.info.gaps:
        return None
    rows = tuple(
        Row((f"{gap.first:,}", f"{gap.last:,}", safe(gap.stream), safe(gap.reason)), iteration=gap.first)
        for gap in view.info.gaps
    )
    table = Table(("first iteration", "last iteration", "what", "why"), (True, True, False, False), rows)
    caption = "What this run should hold and does not. Everything else in the report is as recorded."
    return Section(f"{view.prefix}-gaps", "Gaps", caption, (table,))
