"""What an incident says to look at next."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from dtui.model import Cause, Evidence, Incident
from dtui.model.findings.nonfinite import Began, Origin

LONGEST = 130
FROM_OUTSIDE = "conv1.from.outside"


def incident_of(
    cause: Cause, *evidence: Evidence, persists: bool | None = None, began: Began | None = None
) -> Incident:
    """Return an incident at 1,360 whose layer has a name that no advice of ours holds."""
    origin = None if began is None else Origin(1360, began, (FROM_OUTSIDE,), (), 1, 2)
    return Incident(
        "an-id", cause, 1360, 1370, (FROM_OUTSIDE,), (), (), evidence, "it broke", 1.0, persists=persists, origin=origin
    )


def every() -> list[Incident]:
    """Return an incident of each kind that has words of its own."""
    of_scales = Evidence("norm", 1360, "zero_scales")
    return [
        *(incident_of(cause, persists=persists) for cause in Cause for persists in (None, True, False)),
        *(incident_of(Cause.NONFINITE, began=began) for began in Began),
        incident_of(Cause.NORM, of_scales),
        incident_of(Cause.UPDATE, Evidence("rate", 1360)),
    ]


@pytest.mark.parametrize("incident", every(), ids=lambda one: f"{one.cause}-{one.persists}-{one.origin}")
def test_every_incident_says_what_to_look_at_next_in_a_short_sentence_of_our_own(incident):
    """It fits a run that scores decide as well, where there are no classes and no images."""
    said = incident.next_step

    assert said
    assert len(said) <= LONGEST
    assert FROM_OUTSIDE not in said
    assert not re.search(r"[{}]|class|image|\.$", said)


@pytest.mark.parametrize("cause", [Cause.NONFINITE, Cause.FILTER, Cause.DEAD, Cause.LAYER])
def test_a_checkpoint_is_named_where_weights_are_spoilt_unless_they_have_recovered(cause):
    lasting, over = (incident_of(cause, persists=persists).next_step for persists in (True, False))

    assert lasting == f"go on from a checkpoint before 1,360, and {over}"


def test_what_broke_decides_what_to_look_at():
    scales = incident_of(Cause.NORM, Evidence("norm", 1360, "scale_shift")).next_step
    statistics = incident_of(Cause.NORM, Evidence("norm", 1360, "mean_shift")).next_step
    leapt = incident_of(Cause.UPDATE, Evidence("update", 1360), Evidence("rate", 1360)).next_step

    assert "weight decay" in scales
    assert "batches" in statistics
    assert leapt.startswith("lower the learning rate")
    assert "memory" in replace(incident_of(Cause.NONFINITE), filters=(3,)).next_step
    assert "loss function" in incident_of(Cause.NONFINITE, began=Began.LOSS).next_step
