"""The section on trust: what was looked for and how often that is right, what was not, thresholds, gaps and damage."""

from __future__ import annotations

from dtui.errors import NotRecordedError
from dtui.model import AnomalySettings, Check
from dtui.reports.charts.pictures.scale import percent
from dtui.reports.document import Fact, Facts, Item, Paragraph, Row, Section, Table
from dtui.reports.sections.registry import View, section
from dtui.reports.what_counts import what_counts
from dtui.safe_text import safe

ACCURACY = (
    Fact(
        "visible faults found",
        "96 % of 91",
        "with 10 classes; 95 % interval 89–98 %. With 200 classes 95 % (89–98 %)",
    ),
    Fact("false incidents", "0.02", "a hundred quiet records with 10 classes; 0.15 with 200 classes"),
    Fact("right cause", "94 %", "of those found, with 10 classes; 92 % with 200 classes"),
    Fact("right layer", "96 %", "where one was hit, with 10 classes; 97 % with 200 classes"),
)
"""As tests/truth/corpus/README.md publishes it: measured once, on trainings that the rules had not seen."""
MOST_GAPS = 40


@section("trust", order=130)
def trust_section(view: View) -> Section | None:
    """Return what a reader must know before believing the rest."""
    checks = view.query.all_checks()
    ran = len(view.verdict.checks)
    wanted = ran + len(view.verdict.unchecked)
    items: list[Item] = [_checks(view, checks), Facts(ACCURACY, "How often incidents are right"), *_thresholds(view)]
    items += [_gaps(view)] if view.info.gaps else [Paragraph("No gap: everything that should be recorded is.")]
    faults = view.query.faults()
    if faults:
        rows = tuple(Row((safe(fault, 400),)) for fault in faults[:MOST_GAPS])
        items.append(Table(("damage",), (False,), rows, title="Damage"))
    caption = (
        f"{ran:,} of {wanted:,} checks ran{_besides(len(checks) - wanted)}. "
        "The accuracy was measured on 96 trainings of small classifiers with faults made on purpose; "
        f"{'' if view.info.judging is None else 'trainings judged by scores, '}large networks and 1,000 classes "
        "were not tried."
    )
    return Section(f"{view.prefix}-trust", "Can I trust this", caption, tuple(items))


def _besides(covered: int) -> str:
    """Say how many checks do not count, for others find the same."""
    return f"; {covered:,} more could not, but others find the same" if covered else ""


def _checks(view: View, checks: tuple[Check, ...]) -> Table:
    rows = tuple(
        Row((one.title, _told(one), what_counts(one, view.info.judging)))
        for one in sorted(checks, key=lambda one: (not one.lacks or one.is_covered, one.title))
    )
    columns = ("looked for", "in this run", "what counts")
    return Table(columns, (False,) * 3, rows, title="What was looked for")


def _told(check: Check) -> str:
    if not check.lacks:
        return "checked"
    return f"not checked: {check.lacks}{'; others find the same' if check.is_covered else ''}"


def _thresholds(view: View) -> list[Item]:
    """Return what the class rules were set to, and the threshold that would suit this run."""
    try:
        advice = view.query.advise()
    except NotRecordedError as error:
        return [Paragraph(f"No threshold can be proposed for the anomalies: {view.lacking(error)}.")]
    used = next((row.marked for row in advice.rows if abs(row.threshold - USED) < 1e-9), None)
    marks = f", which marks {used:,} of {advice.counted:,} validations" if used is not None else ""
    proposed = "none suits" if advice.proposed is None else percent(advice.proposed)
    facts = (
        Fact("used for anomalies", percent(USED), f"of a {view.group}'s {view.nouns[0]}{marks}"),
        Fact("proposed for this run", proposed, f"the smallest that marks at most {percent(advice.most)} of them"),
    )
    return [Facts(facts, "Thresholds of the anomalies")]


USED = AnomalySettings().threshold


def _gaps(view: View) -> Table:
    gaps = view.info.gaps
    rows = tuple(
        Row((f"{gap.first:,}", f"{gap.last:,}", safe(gap.stream), safe(gap.reason)), iteration=gap.first)
        for gap in gaps[:MOST_GAPS]
    )
    note = f"{len(gaps) - MOST_GAPS:,} more are left out." if len(gaps) > MOST_GAPS else ""
    columns = ("first iteration", "last iteration", "what", "why")
    return Table(columns, (True, True, False, False), rows, note, "Gaps: what this run should hold and does not")
