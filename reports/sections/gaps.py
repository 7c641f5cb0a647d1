"""The section on what is missing or damaged; left out when nothing is."""

from __future__ import annotations

from dtui.reports.document import Item, Paragraph, Row, Section, Table
from dtui.reports.sections.registry import View, section
from dtui.safe_text import safe


@section("gaps", order=90)
def gaps_section(view: View) -> Section | None:
    """Return the gaps in the recording and the files that cannot be read."""
    info = view.info
    if not info.gaps and not info.findings:
        return None
    items: list[Item] = []
    if info.gaps:
        rows = tuple(
            Row((f"{gap.first:,}", f"{gap.last:,}", safe(gap.stream), safe(gap.reason)), iteration=gap.first)
            for gap in info.gaps
        )
        items.append(Table(("first iteration", "last iteration", "what", "why"), (True, True, False, False), rows))
    items += [Paragraph(safe(finding, 400)) for finding in info.findings]
    caption = "What this run should hold and does not. Everything else in the report is as recorded."
    return Section(f"{view.prefix}-gaps", "Gaps and damage", caption, tuple(items))
