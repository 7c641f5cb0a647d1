"""Makes the first screen of a chapter: the verdict on a run, and its error with the incidents."""

from __future__ import annotations

from collections.abc import Sequence

from dtui.model import Incident
from dtui.number_text import counted
from dtui.reports.charts.pictures.scale import percent
from dtui.reports.charts.pictures.strip import StripMark, error_strip
from dtui.reports.document import Opening, Picture, Said
from dtui.reports.sections.curves import error_curves, nonfinite_words
from dtui.reports.sections.registry import NOTHING_READ, View
from dtui.safe_text import safe

MOST_WORST = 3
"""Incidents that the verdict names; the rest is counted."""
MOST_SAMPLES = 3
LONGEST = 400


def opening_of(view: View, since_title: str = "", since: tuple[str, ...] = ()) -> Opening:
    """Return the first screen.

    Args:
        view: The run.
        since_title: What it is compared with; "" for nothing.
        since: What changed since then, harmless to show.
    """
    verdict = view.verdict
    worst = [
        Said(_sentence(one), view.anchor_of(one), view.numbers[one.id], one.next_step)
        for one in verdict.worst[:MOST_WORST]
    ]
    more = len(verdict.worst) - len(worst)
    if more:
        where = f"{view.prefix}-incidents" if "incidents" in view.shown else ""
        worst.append(Said(f"And {counted(more, 'more incident')}.", where))
    return Opening(
        level=str(verdict.level),
        headline=NOTHING_READ if view.nothing == NOTHING_READ else verdict.headline,
        worst=tuple(worst),
        remarks=(*_samples(view), *(safe(remark, LONGEST) for remark in verdict.remarks)),
        since=since,
        since_title=since_title,
        strip=_strip(view),
    )


def _samples(view: View) -> tuple[str, ...]:
    """Return a sentence on the samples that stand before more of what happened than chance allows, if there are any."""
    answers = [one for one in view.query.incident_batches(view.incidents) if one is not None]
    found = answers[0].standouts[:MOST_SAMPLES] if answers else ()
    if not found:
        return ()
    several = len(found) > 1
    samples = _listed([str(one.sample) for one in found])  # an id is a name: no commas in it
    times = _listed([f"{one.times:,}" for one in found])
    return (
        f"Look at sample{'s' * several} {samples} of the training data: {'they stand' if several else 'it stands'} "
        f"in the batches before {times} of the {answers[0].events:,} {answers[0].unit}s, more than chance allows.",
    )


def _listed(told: Sequence[str]) -> str:
    """Return words as "11, 8 and 6"."""
    return told[0] if len(told) == 1 else f"{', '.join(told[:-1])} and {told[-1]}"


def _sentence(incident: Incident) -> str:
    return safe(f"{incident.told}.", LONGEST)


def _strip(view: View) -> Picture | None:
    if view.info.records + view.info.validations == 0:
        return None
    errors = error_curves(view)
    if not errors:
        return None
    marks = [
        StripMark(view.numbers[one.id], one.first, _kind(one), view.anchor_of(one))
        for one in view.incidents
        if view.full_axis.contains(one.first)
    ]
    verdict = view.verdict
    said = [f"{errors[0].name.capitalize()} over the iterations{nonfinite_words(errors, view.full_axis)}"]
    if verdict.last_error is not None and verdict.best_error is not None:
        said.append(f"{percent(verdict.last_error.error)} at the end, {percent(verdict.best_error.error)} at best")
    listed = ", ".join(f"{mark.number} at {mark.iteration:,}" for mark in marks[:8])
    more = f" and {len(marks) - 8:,} more" if len(marks) > 8 else ""
    said.append(f"incidents: {listed}{more}" if marks else "no incident")
    return error_strip(f"{view.prefix}-strip", errors, view.full_axis, marks, "; ".join(said) + ".")


def _kind(incident: Incident) -> str:
    if incident.status == "dismissed":
        return "dismissed"
    return "lasting" if incident.persists else "over"
