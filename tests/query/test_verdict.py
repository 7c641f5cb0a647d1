"""What a reader must know first about a run: no more than the data show, and counts that add up."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dtui.model import (
    LAYER_STATISTICS,
    SOURCES,
    ImageSet,
    Level,
    RunState,
    RunStatus,
    Standing,
    StateEntry,
    Trained,
    Validation,
    Verdict,
)
from dtui.query import RunQuery, open_run
from dtui.query.incidents import walk
from dtui.query.incidents.verdict import _listed, frozen_at_the_end
from dtui.store import RunWriter
from tests.query.fake_reader import FakeReader
from tests.query.troubled_reader import troubled_reader
from tests.store.builders import METADATA, STRUCTURE

SEEN = "180 records and 180 validations"


def asked(reader: FakeReader) -> RunQuery:
    return RunQuery(reader.path, reader)


def judged(reader: FakeReader) -> Verdict:
    return asked(reader).verdict()


def everything(reader: FakeReader) -> FakeReader:
    """Let nothing be missing: the run also holds normalisation layers, none of which shifts."""
    reader.state = RunStatus.DONE
    return reader


@pytest.fixture
def with_norms(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walk.Held, "has_norms", True)


# --- real runs
def test_the_run_with_five_faults_says_what_is_still_broken_first(repository: Path):
    with open_run(repository / "sample_runs" / "mnist-faults.dtui") as query:
        found = query.verdict()
    assert found.level is Level.LOOK
    assert found.said()[:4] == (
        "Look at this: 5 incidents, 2 still so at the end.",
        "At 1,360, the weights of filter 17 of layer3.0.conv1 changed by 14,700 times their norm in one record, "
        "still so at the end.",
        "At 1,010, 6 of the 16 filters of layer2.1.conv1 get no gradient any more, still so at the end.",
        "At 750, the updates of the whole network are 10.7 times the usual; then the error of class 1 rose from 0 % "
        "to 80 %.",
    )
    assert found.said()[4:] == (
        "And 2 more incidents.",
        "At the end 7 filters of layer2.1.conv1 and layer3.0.conv1 are dead.",
        "11 of 12 checks ran.",
        "Shifts of normalisation layers could not be judged: normalisation layers were not recorded.",
    )
    assert (found.dead, found.broken, found.persisting) == (7, 0, 2)
    assert (found.last_error.iteration, found.best_error.iteration) == (2390, 1270)
    assert (found.worst_class.name, found.worst_class.iteration) == ("8", 2390)
    assert (found.last_error.error, found.worst_class.error) == (pytest.approx(0.024), pytest.approx(6 / 102))


def test_a_filter_that_is_off_and_not_dead_is_broken(repository: Path):
    with open_run(repository / "sample_runs" / "mnist-resumed.dtui") as query:
        found = query.verdict()
    assert (found.headline, found.dead, found.broken) == ("Look at this: 1 incident, still so at the end.", 0, 1)


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        ((), []),
        (("a.0",), ["At the end a.0 gets no gradient any more, since 122."]),
        (("a.0", "a.1"), ["At the end a.0 and a.1 get no gradient any more, since 122."]),
    ],
)
def test_a_layer_that_is_no_longer_trained_is_told(layers: tuple[str, ...], expected: list[str]):
    """Frozen by mistake or on purpose: no incident, and nobody sees it in an error."""
    entries = tuple(StateEntry(Standing.FROZEN, one, (), (122 + at,), 8) for at, one in enumerate(layers))
    assert frozen_at_the_end(RunState(entries, (), 10)) == expected


# --- levels
def test_nothing_found_and_everything_judged_is_fine(with_norms):
    found = judged(everything(troubled_reader(calm=True)))
    assert found.level is Level.FINE
    assert found.sentence == (
        "Nothing to look at: no incident in 180 records and 180 validations. 12 of 12 checks ran."
    )


def test_nothing_found_where_something_was_not_recorded_is_unsure():
    found = judged(everything(troubled_reader(calm=True)))
    assert found.level is Level.UNSURE
    assert (len(found.checks), found.unchecked) == (11, ("shifts of normalisation layers",))
    assert found.headline == "No incident in 180 records and 180 validations, but not everything could be judged."
    assert found.said()[-1].startswith("Shifts of normalisation layers could not be judged: ")


def test_damage_makes_it_unsure(with_norms):
    reader = everything(troubled_reader(calm=True))
    reader.faults = ("parts/0-31.h5: checksum differs", "another", "a third")
    found = judged(reader)
    assert found.level is Level.UNSURE
    assert found.remarks[-1] == ("Incidents may be hidden where the run is damaged (3 faults; dtui check lists them).")


def test_one_of_something_is_not_told_as_many(with_norms):
    reader = everything(troubled_reader(calm=True))
    reader.faults = ("parts/0-31.h5: checksum differs",)
    assert judged(reader).remarks[-1].endswith("(1 fault; dtui check lists it).")
    assert _listed(["a", "b", "c", "d"]) == "a, b, c and 1 more layer"
    assert _listed(["a", "b", "c", "d", "e"]).endswith("and 2 more layers")


def test_too_few_records_are_not_called_fine(with_norms):
    found = judged(everything(troubled_reader(3)))
    assert (found.level, found.checks, len(found.unchecked)) == (Level.UNSURE, (), 12)
    assert "0 of 12 checks ran." in found.remarks


@pytest.mark.parametrize(
    ("status", "reason", "headline", "remark"),
    [
        (RunStatus.CRASHED, "ValueError: lost", "the training ended early", "The training ended early: ValueError"),
        (RunStatus.INCOMPLETE, "unseen", "not all of it was recorded", "Not all of the training was recorded: unseen"),
    ],
)
def test_a_training_that_ended_early_must_be_looked_at(with_norms, status, reason, headline, remark):
    reader = everything(troubled_reader(calm=True))
    reader.state, reader.reason = status, reason
    found = judged(reader)
    assert (found.level, found.headline) == (Level.LOOK, f"Look at this: no incident in {SEEN}, but {headline}.")
    assert found.remarks[0].startswith(remark)


def test_a_training_that_ended_early_says_so_before_its_incidents(with_norms):
    reader = everything(troubled_reader())
    reader.state, reader.reason = RunStatus.CRASHED, "ValueError: lost"
    assert re.match(r"Look at this: the training ended early; \d+ incidents?\b", judged(reader).headline)


def test_a_layer_that_was_to_be_trained_and_gets_no_gradient_must_be_looked_at(with_norms):
    reader = everything(troubled_reader(calm=True))
    for name in ("norm2", "nonfinite"):
        reader.layers[SOURCES.index("gradients"), LAYER_STATISTICS.index(name), 3] = np.nan
    reader.layers[SOURCES.index("updates"), LAYER_STATISTICS.index("norm2"), 3] = 0.0
    assert judged(reader).level is Level.FINE, "the run does not say which layers are frozen"
    reader.structure = replace(reader.structure, trained=Trained(24))
    found = judged(reader)
    assert found.level is Level.LOOK
    assert found.headline == f"Look at this: no incident in {SEEN}, but part of the network does not learn."
    assert found.remarks[0] == "layer1.1.conv1 never got a gradient, although set to be trained."
    layers = list(reader.structure.layers)
    layers[3] = replace(layers[3], name="7")
    reader.structure = replace(reader.structure, layers=tuple(layers))
    assert judged(reader).remarks[0] == "layer 7 never got a gradient, although set to be trained."


# --- decisions
def test_counts_add_up_and_what_was_dismissed_is_not_named(with_norms):
    query = asked(everything(troubled_reader()))
    first, second, *_ = query.verdict().worst
    query.decide(first.id, "dismissed", "known")
    query.decide(second.id, "flagged", "")
    found = query.verdict()
    assert (found.new, found.flagged, found.dismissed, found.incidents) == (2, 1, 1, 4)
    assert first.id not in [one.id for one in found.worst]
    assert len(found.worst) == 3
    for one in query.incidents():
        query.decide(one.id, "dismissed", "")
    assert (query.verdict().level, query.verdict().worst) == (Level.FINE, ())


# --- what is not known
def test_a_run_without_anything_says_so():
    reader = FakeReader(records=0, validations=0, with_images=False)
    found = judged(reader)
    assert (found.level, found.last_error, found.best_error, found.worst_class) == (Level.UNSURE, None, None, None)
    assert (found.error_name, found.dead, found.last_iteration) == ("", None, None)


def test_without_validations_the_training_error_stands(with_norms):
    reader = troubled_reader(calm=True)
    reader.validations = 0
    found = judged(reader)
    assert (found.error_name, found.worst_class) == ("train error", None)
    assert found.last_error.iteration == 175 * 10 + 9


def test_dead_filters_are_not_counted_where_they_cannot_be_told():
    reader = troubled_reader(calm=True)
    filters = {name: one for name, one in reader.contents.filters.items() if name != "gradient_norm"}
    reader.contents = replace(reader.contents, filters=filters)
    assert judged(reader).dead is None
    assert judged(troubled_reader(calm=True)).dead == 0


def test_the_last_error_that_is_lost_is_not_shown_as_none():
    reader = troubled_reader(calm=True)
    reader.labels[:, 179] = reader.labels[:, 178]
    lost = reader.read_class_errors

    def with_hole(part: slice) -> np.ndarray:
        errors = lost(part)
        if part.stop == 180:
            errors[:, -1] = np.nan
        return errors

    reader.read_class_errors = with_hole
    reader.read_labels = lambda images, part: np.full(
        (images.stop - (images.start or 0), part.stop - part.start), -1, dtype=np.int32
    )
    found = judged(reader)
    assert (found.last_error.iteration, found.worst_class.iteration) == (178 * 10 + 12,) * 2


def test_the_worst_class_is_that_of_the_last_validation_that_judged_any(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dtui.query.incidents.verdict.TOGETHER", 2)
    targets = np.array([0, 0, 1, 1], np.uint16)
    with RunWriter(tmp_path / "run", STRUCTURE, METADATA, compact=False) as writer:
        writer.set_images(ImageSet(("a", "b"), targets, ("1", "2", "3", "4")))
        for position in range(6):
            labels = np.full(4, 65_535) if position > 1 else np.array([1, 1, 1, position])
            writer.append_validation(Validation(position * 10, labels.astype(np.uint16), np.zeros(4, np.uint8)))
    with open_run(writer.path) as query:
        found = query.verdict().worst_class
    assert (found.name, found.iteration, found.error) == ("a", 10, 1.0)
