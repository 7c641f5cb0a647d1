"""The section that lists the anomaly iterations."""

from __future__ import annotations

from dataclasses import replace

from dtui.model import Anomaly
from dtui.reports.document import Paragraph, Row, Section, Table
from dtui.reports.sections.registry import View, section
from dtui.safe_text import safe

MOST_ROWS = 30
_SIGNS = {"gained": "▲ gained", "lost": "▼ lost", "both": "▲▼ both"}
_COLUMNS = ("iteration", "what", "class or layer", "images", "share", "rule", "score", "status", "note")
_NUMERIC = (True, False, False, True, True, False, True, False, False)


@section("anomalies", order=40)
def anomalies_section(view: View) -> Section | None:
    """Return the strongest anomalies in the order of time, with people's decisions on them."""
    if view.info.validations == 0:
        return None
    title = "Anomaly iterations"
    anchor = f"{view.prefix}-anomalies"
    if not view.anomalies:
        nothing = Paragraph("No anomaly iteration passes the threshold in this run.")
        return Section(anchor, title, "", (nothing,))
    strongest = sorted(view.anomalies, key=lambda a: (-a.score, a.iteration, a.id))[:MOST_ROWS]
    shown = sorted(strongest, key=lambda a: (a.iteration, -a.score, a.id))
    left_out = len(view.anomalies) - len(shown)
    rows = tuple(_row(view, anomaly) for anomaly in shown)
    used = [k for k in range(len(_COLUMNS)) if any(row.cells[k] for row in rows)]
    table = Table(
        tuple(_COLUMNS[k] for k in used),
        tuple(_NUMERIC[k] for k in used),
        tuple(replace(row, cells=tuple(row.cells[k] for k in used)) for row in rows),
        f"The {len(shown)} with the highest score; {left_out:,} more are left out." if left_out else "",
    )
    decided = sum(anomaly.status != "new" for anomaly in view.anomalies)
    caption = (
        f"{len(view.anomalies):,} in the run, {decided:,} reviewed. Left rule: the images had kept one judgement "
        "before they flipped; right rule: they kept the new one afterwards. "
        "Point at a row to see its iteration in all charts."
    )
    return Section(anchor, title, caption, (table,))


def _row(view: View, anomaly: Anomaly) -> Row:
    where = safe(anomaly.layer, 60) if anomaly.layer is not None else "whole run"
    if anomaly.class_index is not None:
        where = view.classes[anomaly.class_index]
    return Row(
        (
            f"{anomaly.iteration:,}",
            _SIGNS.get(anomaly.direction, anomaly.direction),
            where,
            f"{anomaly.count:,}",
            f"{anomaly.share:.1%}",
            anomaly.rule,
            f"{anomaly.score:.2f}",
            anomaly.status,
            safe(anomaly.note),
        ),
        id=view.anomaly_anchor(anomaly.id),
        iteration=anomaly.iteration,
        kind=anomaly.direction,
    )
