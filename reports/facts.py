"""Makes the five facts that come first, and the trouble that needs no judgement.

Owns the choice and the units of those lines.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from dtui.errors import DtuiError
from dtui.model import RunStatus, Verdict
from dtui.number_text import number_text
from dtui.reports.charts.pictures.scale import percent
from dtui.reports.document import Fact
from dtui.reports.sections.registry import View, moment
from dtui.safe_text import safe

MOST_FINDINGS = 8
FIRED = "flight recorder: "
"""How a finding on a trigger of the flight recorder begins."""
LITTLE = 0.5
"""Share of the parameters below which a report says up front how much is recorded."""


def first_facts(view: View) -> tuple[Fact, ...]:
    """Return the five facts: error, incidents, state, worst class, filters at the end."""
    verdict = view.verdict
    return (
        _error(verdict),
        _incidents(verdict),
        _state(verdict),
        _class(verdict, view.group, view.judged_classes),
        _filters(verdict, view.info.filters),
    )


def _error(verdict: Verdict) -> Fact:
    last, best, score = verdict.last_error, verdict.best_error, verdict.score
    if score is not None:
        is_best = score.best == score.last
        details = [f"at {score.iteration:,}"]
        details += ["its best" if is_best else f"best {number_text(score.best)} at {score.best_iteration:,}"]
        details += [f"{percent(last.error)} not right"] if last is not None else []
        return Fact(f"mean {safe(score.name, 60)}", number_text(score.last), "; ".join(details))
    if last is None or best is None:
        return Fact("error", "not known", "none was logged, and no images were validated")
    detail = "its best" if last.error <= best.error else f"best {percent(best.error)} at {best.iteration:,}"
    return Fact(verdict.error_name, percent(last.error), f"at {last.iteration:,}; {detail}")


def _incidents(verdict: Verdict) -> Fact:
    counts = ((verdict.new, "new"), (verdict.flagged, "flagged"), (verdict.dismissed, "dismissed"))
    detail = " + ".join(f"{count:,} {word}" for count, word in counts) if verdict.incidents else ""
    return Fact("incidents", f"{verdict.incidents:,}", detail)


def _state(verdict: Verdict) -> Fact:
    began, ended = moment(verdict.began), moment(verdict.ended)
    lasted = duration(verdict.began, verdict.ended)
    data = "nothing recorded" if verdict.last_iteration is None else f"data end at {verdict.last_iteration:,}"
    if ended:
        data += f", {ended}{f' after {lasted}' if lasted else ''}"
    elif began:
        data += f"; began {began}"
    return Fact("state", str(verdict.status), data)


def _class(verdict: Verdict, group: str, classes: int) -> Fact:
    worst = verdict.worst_class
    if worst is None:
        return Fact(f"worst {group}", "not known", f"no {group} was validated")
    what = f"worst {group}" if classes > 1 else f"only {group}"
    if classes > 1 and worst.error == 0:
        return Fact(what, "none", f"nothing is wrong at {worst.iteration:,}")
    return Fact(what, safe(worst.name, 60), f"{percent(worst.error)} wrong at {worst.iteration:,}")


def _filters(verdict: Verdict, filters: int) -> Fact:
    if verdict.dead is None:
        return Fact("filters at the end", f"{verdict.broken:,} broken", "dead ones cannot be told")
    besides = f"{verdict.broken:,} broken besides, " if verdict.dead else f"{verdict.broken:,} broken, "
    return Fact("filters at the end", f"{verdict.dead:,} dead", f"{besides if verdict.broken else ''}of {filters:,}")


def duration(began: str, ended: str) -> str:
    """Return the time between two ISO 8601 times, such as "3 h 20 min"; "" where it is not known."""
    try:
        lasted = datetime.fromisoformat(ended) - datetime.fromisoformat(began)
    except (ValueError, TypeError):
        return ""
    if lasted < timedelta(0):
        return ""
    minutes, seconds = divmod(int(lasted.total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = [(days, "d"), (hours, "h"), (minutes, "min"), (seconds, "s")]
    told = [(count, unit) for count, unit in parts if count][:2]
    return " ".join(f"{count} {unit}" for count, unit in told) or "0 s"


def _said_first(view: View) -> tuple[str, ...]:
    """Return the verdict's remarks; none where there is no verdict."""
    try:
        return view.verdict.remarks
    except DtuiError:
        return ()


def findings_of(view: View) -> tuple[str, ...]:
    """Return the trouble in a run, one line each: at most MOST_FINDINGS, then how many more there are.

    What the verdict says already is left out.
    """
    said = _said_first(view)
    every = view.query.info().findings  # asked again: making the sections may have found damage
    findings = _triggers_together(tuple(one for one in every if not any(one in remark for remark in said)))
    if view.info.reason and not any(view.info.reason in remark for remark in said):
        is_incomplete = view.info.status is RunStatus.INCOMPLETE
        what = "not all of the training was recorded" if is_incomplete else "the training ended early"
        findings = (f"{what}: {view.info.reason}", *findings)
    coverage = view.info.coverage
    if coverage is not None and coverage.share < LITTLE:
        findings = (*findings, coverage.text(3, view.info.other_parameters))
    lines = [safe(finding, 400) for finding in findings[:MOST_FINDINGS]]
    if len(findings) > MOST_FINDINGS:
        lines.append(f"{len(findings) - MOST_FINDINGS:,} more: dtui check lists every file")
    return tuple(lines)


def _triggers_together(findings: tuple[str, ...]) -> tuple[str, ...]:
    """Return the findings with at most one of the flight recorder: the incidents tell what its triggers were."""
    fired = [one for one in findings if one.startswith(FIRED)]
    if len(fired) < 2:
        return findings
    first = f"{fired[0]}, and again after that; dtui anomalies lists every trigger"
    return tuple(first if one == fired[0] else one for one in findings if one == fired[0] or one not in fired)
