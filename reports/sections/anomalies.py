"""The section that lists the anomaly iterations."""

from __future__ import annotations

from dataclasses import replace

from dtui.model import Anomaly, AnomalySettings
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
    if view.info.validations == 0 and not view.anomalies:
        return None
    title = "Anomaly iterations"
    anchor = f"{view.prefix}-anomalies"
    if not view.anomalies:
        where = "what can be read of this run" if view.query.anomaly_faults() else "this run"
        nothing = Paragraph(f"No anomaly iteration passes the threshold in {where}.")
        needed = AnomalySettings().validations_needed
        if view.info.validations < needed:
            found = f"{view.info.validations:,} validation{'' if view.info.validations == 1 else 's'}"
            nothing = Paragraph(f"Flips are not judged: there are {found}, and the rules need {needed}.")
        return Section(anchor, title, "", (nothing,))
    strongest = sorted(view.flips.items(), key=lambda item: -max(anomaly.score for anomaly in item[1]))[:MOST_ROWS]
    shown = sorted(strongest, key=lambda item: (item[1][0].iteration, -item[1][0].score))
    held = sum(len(group) for _, group in shown)
    rows = tuple(_row(view, anchor, group) for anchor, group in shown)
    used = [k for k in range(len(_COLUMNS)) if any(row.cells[k] for row in rows)]
    table = Table(
        tuple(_COLUMNS[k] for k in used),
        tuple(_NUMERIC[k] for k in used),
        tuple(replace(row, cells=tuple(row.cells[k] for k in used)) for row in rows),
        _note(len(shown), held, len(view.anomalies)),
    )
    decided = sum(anomaly.status != "new" for anomaly in view.anomalies)
    fired = ""
    if any(anomaly.kind == "watch" for anomaly in view.anomalies):
        fired = "Flight recorder: a loss, gradients, updates or filters far above their own history, NaN or Inf. "
    caption = (
        f"{len(view.anomalies):,} in the run, {decided:,} reviewed. Left rule: the images had kept one judgement "
        "before they flipped; right rule: they kept the new one afterwards; what both say is one row. "
        f"{fired}Point at a row to see its iteration in all charts."
    )
    return Section(anchor, title, caption, (table,))


def _note(rows: int, held: int, anomalies: int) -> str:
    """Say how many anomalies the rows stand for, so that they and those left out add up to all."""
    if held < anomalies:
        return (
            f"The {rows} rows with the highest score hold {held:,} of the {anomalies:,} anomalies; "
            f"{anomalies - held:,} are left out."
        )
    return f"{rows} rows hold all {anomalies:,} anomalies." if rows < anomalies else ""


def _row(view: View, anchor: str, group: tuple[Anomaly, ...]) -> Row:
    """Return one row for what several rules say about the same images at the same iteration."""
    anomaly = max(group, key=lambda one: one.score)
    where = safe(anomaly.layer, 60) if anomaly.layer is not None else "whole run"
    if anomaly.class_index is not None:
        where = view.classes[anomaly.class_index]
    return Row(
        (
            f"{anomaly.iteration:,}",
            "◆ flight recorder" if anomaly.kind == "watch" else _SIGNS.get(anomaly.direction, anomaly.direction),
            where,
            f"{anomaly.count:,}",
            f"{anomaly.share:.1%}",
            ", ".join(sorted({one.rule for one in group})),
            f"{anomaly.score:.2f}",
            ", ".join(sorted({one.status for one in group})),
            safe("; ".join(dict.fromkeys(one.note for one in group if one.note))),
        ),
        id=anchor,
        iteration=anomaly.iteration,
        kind=anomaly.direction,
    )
