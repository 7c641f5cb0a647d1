"""Incidents of a run from all evidence so far."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence

from dtui.analysis.detectors.online.class_error import MISSING, STAYS, UNSEEN, UNTAUGHT
from dtui.analysis.detectors.stream.block import Network
from dtui.analysis.incidents.causes import Verdict, judge
from dtui.analysis.incidents.grouping import Clock, group, is_strong
from dtui.analysis.incidents.sentences import moved_first, sentence
from dtui.model import Cause, Evidence, Incident

FINAL = 11
"""Records and validations after its first evidence from which on no later one can change an incident (FINDINGS §3)."""
DROPS = 2
"""Validations at which one class drops, where nothing else tells of trouble, that make an incident."""
MOST_OF_ALL = 0.5
"""Share of what all classes lost that it must have lost there."""
MOST_LOST = 0.6
"""What a class lost, times its share of what all classes lost, at which one is enough."""
ALL_LOST = 0.8
"""The same, at which it is enough whether or not the class was taught: nearly all of its images, and no others."""
HALF_WAY = 10.0
"""Strength of evidence at which half of the score is reached."""


def incidents_of(
    evidence: Iterable[Evidence], clock: Clock, network: Network, class_names: Sequence[str]
) -> tuple[Incident, ...]:
    """Return the incidents by iteration, without decisions.

    Args:
        evidence: All that detectors have found so far, in any order.
        clock: Of the run so far.
        network: What the run trains.
        class_names: By label; data from outside.
    """
    found = [members for members in group(_until_weights_are_lost(evidence), clock) if _is_confirmed(members)]
    return tuple(
        sorted((_incident(one, clock, network, class_names) for one in found), key=lambda one: (one.first, one.id))
    )


def _is_confirmed(members: Sequence[Evidence]) -> bool:
    """Whether a group is more than one class that does worse for a moment, as classes of healthy trainings do.

    A class that alone loses nearly everything at once is that; so is one that alone loses most of its images, if it is
    left alone: what a healthy network errs on it is taught. Others are told by how long they fail and are left alone,
    see `untaught.py`. Where the run does not tell how much its output is taught, such a class must lose most of its
    images, and most of what all lost, at once; or drop twice, and stay bad or lose most of what all classes lost.
    """
    if any(is_strong(one) or one.rule == MISSING or _alone(one) >= ALL_LOST for one in members):
        return True
    left_alone = {one.classes[:1] for one in members if one.rule in (UNTAUGHT, UNSEEN)}
    told = [one for one in members if one.classes[:1] in left_alone]
    if any(_alone(one) >= MOST_LOST for one in told):
        return True
    unseen = {one.classes[:1] for one in members if one.rule == UNSEEN}
    untold = [one for one in members if one.classes[:1] in unseen]
    stay = {one.classes[0] for one in untold if one.rule == STAYS}
    staying = [one for one in untold if one.classes[0] in stay]
    most = [one for one in untold if (one.concentration or 0) >= MOST_OF_ALL]
    return max(_drops(staying), _drops(most)) >= DROPS


def _drops(evidence: Iterable[Evidence]) -> int:
    """Return at how many validations the class that dropped most often did so."""
    found = {(one.classes[0], one.iteration) for one in evidence}
    return max(Counter(label for label, _ in found).values(), default=0)


def _alone(one: Evidence) -> float:
    """Return what its class lost, times its share of what all classes lost, [0, 1]."""
    return (one.amount or 0.0) * (one.concentration or 0.0)


def _until_weights_are_lost(evidence: Iterable[Evidence]) -> list[Evidence]:
    """Return evidence up to the first record whose weights are NaN or Inf: what follows tells nothing new."""
    known = list(evidence)
    ends = [one.iteration for one in known if one.detector == "nonfinite" and one.rule == "weights"]
    end = min(ends, default=None)
    return known if end is None else [one for one in known if one.iteration <= end]


def _incident(members: list[Evidence], clock: Clock, network: Network, class_names: Sequence[str]) -> Incident:
    verdict = judge(members, clock, network)
    place = _place(verdict)
    strength = max(one.strength for one in members)
    score = float(any(is_strong(one) for one in members)) + _share(strength)
    return Incident(
        id=f"incident-{verdict.first}-{verdict.cause}-{place}",
        cause=verdict.cause,
        first=verdict.first,
        last=max(one.iteration for one in members),
        layers=verdict.layers,
        filters=verdict.filters,
        classes=verdict.classes,
        evidence=tuple(members),
        sentence=sentence(verdict, class_names),
        score=score,
        is_final=clock.steps_after(members[0].iteration) >= FINAL,
        moved_first=moved_first(verdict.telling),
    )


def _place(verdict: Verdict) -> str:
    """Return the first layer or class, as an id ends with."""
    if verdict.layers:
        return verdict.layers[0]
    return f"class{verdict.classes[0]}" if verdict.cause is Cause.CLASS and verdict.classes else "network"


def _share(strength: float) -> float:
    """Return a strength as a share below 1."""
    return strength / (strength + HALF_WAY) if math.isfinite(strength) and strength > 0 else 0.0
