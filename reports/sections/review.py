"""The section on the review: what people decided about incidents, flagged ones first, with their notes."""

from __future__ import annotations

from dtui.reports.document import Paragraph, Row, Section, Table
from dtui.reports.sections.registry import View, section
from dtui.safe_text import safe

_ORDER = ("flagged", "new", "dismissed")


@section("review", order=40)
def review_section(view: View) -> Section | None:
    """Return the decisions on incidents; nothing where there are no incidents."""
    if not view.incidents:
        return None
    anchor, title = f"{view.prefix}-review", "Review"
    decided = [one for one in view.incidents if one.status != "new" or one.note]
    left = sum(one.status == "new" for one in view.incidents)
    if not decided:
        return Section(anchor, title, "", (Paragraph(f"Nobody has decided on any of the {left:,} incidents yet."),))
    decided.sort(key=lambda one: (_ORDER.index(one.status), one.first))
    rows = []
    for one in decided:
        who, when = view.query.decided_by(one.id)
        cells = (
            str(view.numbers[one.id]),
            f"{one.first:,}",
            one.status,
            safe(one.sentence, 300),
            safe(one.note, 400),
            safe(who, 60),
            safe(when, 40).replace("T", " "),
        )
        rows.append(Row(cells, iteration=one.first))
    columns = ("number", "iteration", "decision", "what", "note", "who", "when")
    table = Table(columns, (True, True, *(False,) * 5), tuple(rows))
    flagged = sum(one.status == "flagged" for one in decided)
    caption = f"{flagged:,} flagged, {len(decided):,} with a decision or note, {left:,} still to review."
    return Section(anchor, title, caption, (table,))
