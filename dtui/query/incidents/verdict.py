"""Answers `RunQuery.verdict`: what a reader must know first, from what the other answers say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from dtui.model import (
    Cause,
    ClassAt,
    ErrorAt,
    FloatArray,
    Incident,
    IntArray,
    Level,
    MeanScore,
    Missing,
    RunInfo,
    RunState,
    RunStatus,
    Standing,
    Verdict,
)
from dtui.model.judging import LOWER, MEAN, logged_name
from dtui.model.layers import layer_called
from dtui.number_text import counted
from dtui.query.curves import curve_points, known_errors
from dtui.query.data import RunData
from dtui.query.labels.error_columns import TOGETHER


class Answers(Protocol):
    """The answers that a verdict is made of; `RunQuery` has them."""

    def incidents(self) -> tuple[Incident, ...]:
        """Return all incidents."""

    def state(self) -> RunState:
        """Return the state at the end."""

    def info(self) -> RunInfo:
        """Return one line about the run."""

    def detector_faults(self) -> tuple[str, ...]:
        """Return why detectors failed."""

    def incidents_not_judged(self) -> tuple[Missing, ...]:
        """Return which missing data may hide incidents."""

    def incident_checks(self) -> tuple[str, ...]:
        """Return what was looked for."""

    def incidents_unchecked(self) -> tuple[str, ...]:
        """Return what could not be looked for."""


MOST_NAMED = 3
"""Layers, faults and reasons that a sentence names; the rest is counted."""
_WEIGHTS = (Cause.FILTER, Cause.NONFINITE)
"""Causes that leave filters with wrong weights."""
_ERRORS = {"validation_error": "validation error", "train_error": "train error"}


def verdict(query: Answers, data: RunData) -> Verdict:
    """Return the verdict on a run as it is now."""
    incidents, state = query.incidents(), query.state()
    info = query.info()
    left = sorted((one for one in incidents if one.status != "dismissed"), key=_how_bad)
    dead = _dead(state, data)
    unlearning = _unlearning(info, data)
    unsure = _unsure(data, query.detector_faults(), query.incidents_not_judged())
    is_early_end = info.status in (RunStatus.CRASHED, RunStatus.INCOMPLETE)
    is_to_be_seen = left or is_early_end or unlearning or (info.not_learned and info.status is not RunStatus.LIVE)
    level = Level.LOOK if is_to_be_seen else Level.UNSURE if unsure else Level.FINE
    headline = _headline(level, left, info, is_part_unlearned=bool(unlearning))
    learned = [] if not info.not_learned or info.not_learned in headline else [_sentence(info.not_learned)]
    name, iterations, errors = known_errors(data)
    checks, unchecked = query.incident_checks(), query.incidents_unchecked()
    remarks = [
        *_early_end(info),
        *learned,
        *unlearning,
        *_dead_at_the_end(state),
        *frozen_at_the_end(state),
        *_checked(checks, unchecked),
        *unsure,
    ]
    return Verdict(
        level=level,
        headline=headline,
        worst=tuple(left),
        remarks=tuple(remarks),
        new=sum(one.status == "new" for one in incidents),
        flagged=sum(one.status == "flagged" for one in incidents),
        dismissed=len(incidents) - len(left),
        checks=checks,
        unchecked=unchecked,
        error_name=_ERRORS.get(name, ""),
        last_error=_at(iterations, errors, len(errors) - 1),
        best_error=_at(iterations, errors, int(errors.argmin()) if len(errors) else -1),
        worst_class=_worst_class(data),
        dead=None if dead is None else len(dead),
        broken=len(_broken(left) - (dead or set())),
        status=info.status,
        reason=info.reason,
        records=info.records,
        validations=info.validations,
        last_iteration=info.last_iteration,
        began=data.reader.metadata.created,
        ended=data.reader.ended if info.status is not RunStatus.LIVE else "",
        score=_mean_score(data),
    )


def _how_bad(incident: Incident) -> tuple[bool, float, int, str]:
    """Order the worst first: what still holds, then what is strange, then what came first."""
    return incident.persists is not True, -incident.score, incident.first, incident.id


def _headline(level: Level, left: Sequence[Incident], info: RunInfo, *, is_part_unlearned: bool) -> str:
    seen = f"{counted(info.records, 'record')} and {counted(info.validations, 'validation')}"
    if level is Level.FINE:
        return f"Nothing to look at: no incident in {seen}."
    if level is Level.UNSURE:
        return f"No incident in {seen}, but not everything could be judged."
    early = {RunStatus.CRASHED: "the training ended early", RunStatus.INCOMPLETE: "not all of it was recorded"}
    ended = early.get(info.status, "")
    if not left:
        what = ended or ("part of the network does not learn" if is_part_unlearned else info.not_learned)
        return f"Look at this: no incident in {seen}, but {what}."
    lasting = sum(one.persists is True for one in left)
    still = ", still so at the end" if lasting == len(left) == 1 else f", {lasting:,} still so at the end"
    return f"Look at this: {f'{ended}; ' if ended else ''}{counted(len(left), 'incident')}{still if lasting else ''}."


def _early_end(info: RunInfo) -> list[str]:
    """Return why the training ended early, or is not whole."""
    if info.status is RunStatus.CRASHED:
        return [f"The training ended early: {info.reason}."]
    return [f"Not all of the training was recorded: {info.reason}."] if info.status is RunStatus.INCOMPLETE else []


def _unlearning(info: RunInfo, data: RunData) -> list[str]:
    """Return which layers were set to be trained and do not learn; nothing where the run does not say which were."""
    if data.structure.trained is None:
        return []
    found = []
    for layers, why in ((info.states.no_gradient, "never got a gradient"), (info.states.unchanged, "never changed")):
        if layers:
            found.append(f"{_listed([layer_called(name) for name in layers])} {why}, although set to be trained.")
    return found


def _dead_at_the_end(state: RunState) -> list[str]:
    dead = [entry for entry in state.entries if entry.standing is Standing.DEAD]
    if not dead:
        return []
    count = sum(len(entry.filters) for entry in dead)
    verb = "is" if count == 1 else "are"
    return [
        f"At the end {counted(count, 'filter')} of {_listed([layer_called(one.layer) for one in dead])} {verb} dead."
    ]


def frozen_at_the_end(state: RunState) -> list[str]:
    """Return which layers were trained, and are no more: on purpose or not, nobody sees it in an error."""
    frozen = [entry for entry in state.entries if entry.standing is Standing.FROZEN]
    if not frozen:
        return []
    verb = "gets" if len(frozen) == 1 else "get"
    known = [since for entry in frozen for since in entry.since if since is not None]
    when = f", since {min(known):,}" if known else ""
    return [f"At the end {_listed([entry.layer for entry in frozen])} {verb} no gradient any more{when}."]


def _checked(checks: Sequence[str], unchecked: Sequence[str]) -> list[str]:
    return [f"{len(checks):,} of {len(checks) + len(unchecked):,} checks ran."]


def _unsure(data: RunData, failed: Sequence[str], missing: Sequence[Missing]) -> list[str]:
    """Return why something may be hidden: damage, a detector that failed, what was not recorded."""
    faults = data.reader.faults
    told = f"{counted(len(faults), 'fault')}; dtui check lists {'it' if len(faults) == 1 else 'them'}"
    lines = [f"Incidents may be hidden where the run is damaged ({told})."] if faults else []
    lines += [f"Incidents may be hidden: {fault}." for fault in failed[:MOST_NAMED]]
    return lines + [_sentence(lacks.sentence) for lacks in missing if not lacks.is_covered]


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _dead(state: RunState, data: RunData) -> set[tuple[str, int]] | None:
    """Return (layer, filter) of the filters that are dead at the end; None where that cannot be told."""
    found = {(one.layer, at) for one in state.entries if one.standing is Standing.DEAD for at in one.filters}
    is_told = data.records_filters("gradient_norm", "update_norm") and state.records > 0
    return found if found or (is_told and not any("dead filters" in line for line in state.missing)) else None


def _broken(left: Sequence[Incident]) -> set[tuple[str, int]]:
    """Return (layer, filter) of the filters whose weights are still off."""
    lasting = [one for one in left if one.persists and one.cause in _WEIGHTS and one.layers]
    return {(one.layers[0], at) for one in lasting for at in one.filters}


def _worst_class(data: RunData) -> ClassAt | None:
    for stop in range(len(data.validations), 0, -TOGETHER):  # from the end on: the last that was judged will do
        first = max(0, stop - TOGETHER)
        errors = data.errors_within(slice(first, stop))
        judged = np.flatnonzero(np.isfinite(errors).any(axis=0))
        if len(judged):
            last = errors[:, judged[-1]]
            label = int(np.nanargmax(last))
            names = data.reader.classes
            name = names[label] if label < len(names) else str(label)
            return ClassAt(label, name, float(last[label]), int(data.validations[first + judged[-1]]))
    return None


def _at(iterations: IntArray, errors: FloatArray, position: int) -> ErrorAt | None:
    return ErrorAt(float(errors[position]), int(iterations[position])) if len(errors) else None


def _mean_score(data: RunData) -> MeanScore | None:
    """Return the mean score that was logged at each validation; the share of wrong items hides how well they do."""
    judging = data.judging
    points = curve_points(data).get(logged_name(judging.score, MEAN)) if judging and judging.has_scores else None
    known = np.isfinite(points[1]) if points else np.zeros(0, dtype=bool)
    if judging is None or points is None or not known.any():
        return None
    iterations, values = points[0][known], points[1][known]
    best = int(values.argmin() if judging.better == LOWER else values.argmax())
    last = (float(values[-1]), int(iterations[-1]))
    return MeanScore(judging.score, judging.better, *last, float(values[best]), int(iterations[best]))


def _listed(names: Sequence[str]) -> str:
    shown = list(names[:MOST_NAMED])
    if len(names) > MOST_NAMED:
        return f"{', '.join(shown)} and {counted(len(names) - MOST_NAMED, 'more layer')}"
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"
