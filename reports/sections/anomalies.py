"""The section that lists the anomaly iterations."""

from __future__ import annotations

from dataclasses import replace

from dtui.model import Anomaly
from dtui.reports.charts.pictures.scale import percent
from dtui.reports.document import Paragraph, Row, Section, Table
from dtui.reports.sections.registry import View, section
from dtui.safe_text import safe

MOST_ROWS = 30
_COLUMNS = ("iteration", "what", "class or layer", "images", "share", "rule", "score", "status", "note")
_NUMERIC = (True, False, False, True, True, False, True, False, False)


@section("anomalies", order=125)
def anomalies_section(view: View) -> Section | None:
    """Return the strongest anomalies in the order of time, with people's decisions on them."""
    if view.info.validations == 0 and not view.anomalies:
        return None
    title = "Anomaly iterations"
    anchor = f"{view.prefix}-anomalies"
    if not view.anomalies:
        where = "what can be read of this run" if view.query.anomaly_faults() else "this run"
        said = [f"No anomaly iteration passes the threshold in {where}."]
        said = [f"{lacks.sentence}." for lacks in view.query.not_judged()] or said
        return Section(anchor, title, "", tuple(Paragraph(sentence) for sentence in said))
    strongest = sorted(view.flips.items(), key=lambda item: -max(anomaly.score for anomaly in item[1]))[:MOST_ROWS]
    shown = sorted(strongest, key=lambda item: (item[1][0].iteration, -item[1][0].score))
    held = sum(len(group) for _, group in shown)
    rows = tuple(_row(view, anchor, group) for anchor, group in shown)
    silent = {"", "new"} if all(anomaly.status == "new" for anomaly in view.anomalies) else {""}
    used = [k for k in range(len(_COLUMNS)) if any(row.cells[k] not in silent for row in rows)]
    table = Table(
        tuple(view.of_groups(_COLUMNS[k]) for k in used),
        tuple(_NUMERIC[k] for k in used),
        tuple(replace(row, cells=tuple(row.cells[k] for k in used)) for row in rows),
        _note(len(shown), held, len(view.anomalies)),
    )
    decided = sum(anomaly.status != "new" for anomaly in view.anomalies)
    caption = " ".join(
        (
            f"{len(view.anomalies):,} in the run, {decided:,} reviewed.",
            *map(view.of_groups, view.query.legends(view.anomalies)),
            "The larger the score, the less usual.",
        )
    )
    return Section(anchor, title, caption, (table,), "Point at a row to see its iteration in all charts.")


def _note(rows: int, held: int, anomalies: int) -> str:
    """Say how many anomalies the rows hold, so that these and the omitted ones add up to all."""
    if held < anomalies:
        return (
            f"The {rows} rows with the highest score hold {held:,} of the {anomalies:,} anomalies; "
            f"{anomalies - held:,} are left out."
        )
    return f"{rows} rows hold all {anomalies:,} anomalies." if rows < anomalies else ""


def _row(view: View, anchor: str, group: tuple[Anomaly, ...]) -> Row:
    """Return one row for the anomalies of several rules about the same images at the same iteration."""
    anomaly = max(group, key=lambda one: one.score)
    evidence, shown = anomaly.evidence, anomaly.shown
    where = safe(anomaly.layer, 120) if anomaly.layer is not None else "whole run"
    images, share = "", ""
    if anomaly.class_index is not None:
        where, images, share = view.classes[anomaly.class_index], f"{evidence.count or 0:,}", percent(anomaly.size)
    return Row(
        (
            f"{anomaly.iteration:,}",
            f"{shown.sign} {shown.title}",
            where,
            images,
            share,
            ", ".join(sorted({one.evidence.rule for one in group})),
            f"{anomaly.score:.2f}",
            ", ".join(sorted({one.status for one in group})),
            safe("; ".join(dict.fromkeys(one.note for one in group if one.note))),
        ),
        id=anchor,
        iteration=anomaly.iteration,
        kind=evidence.direction or "",
    )
