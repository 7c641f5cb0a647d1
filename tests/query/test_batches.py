"""The batch of an iteration and who stands out, in the shipped run with damaged samples and in runs made by hand."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dtui.analysis.relations.standouts import find_standouts, tail
from dtui.errors import NotRecordedError, UsageError
from dtui.model import Column, Trigger
from dtui.query import RunQuery, open_run
from dtui.query.incidents import batches as batches_module
from dtui.query.incidents.batches import Batches
from dtui.store import RunWriter
from tests.store.builders import METADATA, STRUCTURE, make_record

SAMPLE = Path(__file__).parents[2] / "sample_runs" / "mnist-batches.dtui"
DAMAGED = {412, 1973, 3305}
ROWS = 4


@pytest.fixture(scope="module")
def sample() -> Iterator[RunQuery]:
    with open_run(SAMPLE) as query:
        yield query


def test_the_damaged_samples_of_the_shipped_run_are_named_and_nobody_else(sample: RunQuery) -> None:
    found = sample.batch(611)
    assert {one.sample for one in found.standouts} == DAMAGED
    assert found.batch.iteration == found.asked == 611
    assert 412 in found.batch.samples
    assert [one.sample for one in found.here] == [412]
    assert [one.iteration for one in found.before] == list(range(610, 602, -1))
    assert (found.batch.count, found.batch.left_out, found.events) == (32, 0, 25)
    assert all(one.chance <= 0.02 for one in found.standouts)


def test_a_batch_has_the_loss_of_its_own_update(sample: RunQuery) -> None:
    found = sample.batch(611)
    assert found.batch.loss == pytest.approx(6.02, abs=0.01)
    assert all(0.5 < one.loss < 0.8 for one in found.before)


def test_who_stands_out_is_known_with_every_batch_that_held_it(sample: RunQuery) -> None:
    found = sample.batch(611)
    triggers = {trigger.iteration for trigger in sample._data.triggers}
    assert found.fired == tuple(sorted(triggers))
    for one in found.standouts:
        assert len(one.held) == one.batches
        assert all(one.sample in sample.batch(at).batch.samples for at in one.held)
        assert set(one.before) == {at for at in one.held if triggers & set(range(at, at + 4))}


def test_each_trigger_of_the_shipped_run_has_a_damaged_sample_in_its_batches(sample: RunQuery) -> None:
    for trigger in sample._data.triggers:
        found = sample.batch(trigger.iteration)
        batches = (found.batch, *found.before[:3])
        assert DAMAGED & {int(one) for batch in batches for one in batch.samples}


def test_each_incident_has_the_batch_before_it_in_words(sample: RunQuery) -> None:
    incidents = sample.incidents()
    batches = sample.incident_batches(incidents)
    told = [batch.sentence for batch in batches if batch is not None]
    assert len(told) == len(incidents) >= 5
    assert told[1] == "1 sample id stands before 8 of 25 triggers, this one too: 412"
    evidence = sample.incident_evidence(incidents[:1])
    assert evidence[0].batch is not None


def test_an_incident_that_no_batch_was_kept_right_before_has_none(sample: RunQuery) -> None:
    incident, batches = sample.incidents()[0], Batches(sample._data)
    assert batches.near(replace(incident, first=703, last=703)) is not None
    assert batches.near(replace(incident, first=704, last=704)) is None


def near(path: Path, sample: RunQuery, first: int, last: int, triggers: Sequence[int]) -> list[int]:
    """Return the iterations of the batches before an incident, the newest first; records come every 10."""
    watched = {iteration: [1] for trigger in triggers for iteration in range(trigger - 5, trigger + 1)}
    with make(path, watched, (0, 100, 200), triggers=triggers) as query:
        found = Batches(query._data).near(replace(sample.incidents()[0], first=first, last=last))
    return [] if found is None else [found.batch.iteration, *(one.iteration for one in found.before)]


@pytest.mark.parametrize(
    ("first", "last", "triggers", "found"),
    [
        (130, 130, [120, 126], 126),  # that of 120 belongs to the record before
        (130, 130, [123, 128], 123),  # the first one
        (110, 150, [140, 145], 140),  # the flight recorder fired later on in it
    ],
)
def test_an_incident_has_the_batches_of_its_first_trigger_since_the_record_before(
    tmp_path: Path, sample: RunQuery, first: int, last: int, triggers: list[int], found: int
) -> None:
    assert near(tmp_path / "run", sample, first, last, triggers) == [found, found - 1, found - 2, found - 3]


def test_without_triggers_an_incident_has_its_own_batch_and_not_that_of_the_one_before(
    tmp_path: Path, sample: RunQuery
) -> None:
    one, other = (replace(sample.incidents()[0], first=at, last=at, status="new") for at in (55, 60))
    with make(tmp_path / "run", {55: [2], 59: [3], 60: [4]}, (0, 100)) as query:
        batches = Batches(query._data, [one, other])
        found = [batches.near(incident) for incident in (one, other)]
    assert [near and near.batch.iteration for near in found] == [55, 60]


def make(
    path: Path,
    watched: Mapping[int, Sequence[float]],
    recorded: Iterable[int] = (0, 100),
    triggers: Iterable[int] = (),
    counts: Mapping[int, int] | None = None,
) -> RunQuery:
    """Write a run with batches at some watches, none of which is a record."""
    columns = (Column("samples", "<f8", "watches", ROWS), Column("sample_count", "<u4", "watches", 1))
    with RunWriter(path, STRUCTURE, METADATA, compact=False, columns=columns) as writer:
        for iteration in recorded:
            writer.append_record(make_record(iteration // 10))
        for iteration, ids in watched.items():
            row = np.full(ROWS, np.nan)
            row[: len(ids)] = ids
            watch = make_record(iteration, every=1)
            count = len(ids) if counts is None else counts[iteration]
            values = {"samples": row, "sample_count": np.array([count], np.uint32)}
            object.__setattr__(watch, "columns", values)
            writer.append_watch(watch)
        for iteration in triggers:
            writer.append_trigger(Trigger(iteration, "loss", "", (), 9.0, 7.0))
    return open_run(path)


def test_a_batch_that_was_not_kept_is_the_nearest_before_and_says_so(tmp_path: Path) -> None:
    with make(tmp_path / "run", {20: [1, 2], 21: [3], 40: [5]}) as query:
        found = query.batch(30)
        assert (found.asked, found.batch.iteration, found.is_exact) == (30, 21, False)
        assert found.batch.samples.tolist() == [3]
        assert [one.samples.tolist() for one in found.before] == [[1, 2]]
        assert query.batch(40).before == ()
        assert found.sentence == "1 sample in the batch of 21"


def test_batches_before_it_are_those_that_follow_each_other(tmp_path: Path) -> None:
    with make(tmp_path / "run", {19: [1], 20: [2], 22: [3], 23: [4]}) as query:
        assert [one.iteration for one in query.batch(23).before] == [22]


def test_without_triggers_incidents_that_nobody_dismissed_are_counted(tmp_path: Path, sample: RunQuery) -> None:
    one = sample.incidents()[0]
    incidents = [replace(one, first=20, status="dismissed"), replace(one, first=40, status="new")]
    with make(tmp_path / "run", {20: [1], 40: [2]}) as query:
        assert Batches(query._data, incidents).at(40).events == 1


def test_who_stands_out_is_counted_anew_where_other_incidents_count(tmp_path: Path, sample: RunQuery) -> None:
    one, other = (replace(sample.incidents()[0], first=at, status="new") for at in (20, 40))
    with make(tmp_path / "run", {20: [1], 40: [2]}) as query:
        assert [len(Batches(query._data, those).standouts()[1]) for those in ([one], [one, other])] == [1, 2]


def test_a_sample_that_was_used_once_stands_out_nowhere() -> None:
    batches = [np.array([5])] * 999 + [np.array([7])]
    assert find_standouts(batches, np.arange(1000) == 999) == []


def test_what_is_not_there_is_refused_in_one_line(tmp_path: Path) -> None:
    with make(tmp_path / "run", {20: [1]}) as query:
        with pytest.raises(UsageError, match="no batch was kept at or before 19; the first one is at 20"):
            query.batch(19)
        for iteration in (-1, 101):
            with pytest.raises(UsageError, match=rf"there is no iteration {iteration}; the run has 0 to 100"):
                query.batch(iteration)
    with make(tmp_path / "none", {}) as query, pytest.raises(NotRecordedError, match=r"no batch was kept yet"):
        query.batch(10)
    with open_run(SAMPLE.with_name("mnist-faults.dtui")) as query:
        with pytest.raises(NotRecordedError, match=r"record with batches=True"):
            query.batch(10)
        assert set(query.incident_batches(query.incidents())) == {None}


def test_every_iteration_up_to_the_last_of_the_run_or_of_its_batches_may_be_asked(tmp_path: Path) -> None:
    with make(tmp_path / "early", {20: [1]}) as query:
        assert query.batch(100).batch.iteration == 20
    with make(tmp_path / "late", {20: [1], 130: [2]}) as query:
        assert query.batch(130).batch.samples.tolist() == [2]
        with pytest.raises(UsageError, match="there is no iteration 131; the run has 0 to 130"):
            query.batch(131)


def test_samples_that_did_not_fit_are_counted(tmp_path: Path) -> None:
    with make(tmp_path / "run", {20: [1, 2, 3, 4]}, counts={20: 9}) as query:
        batch = query.batch(20).batch
        assert (len(batch.samples), batch.count, batch.left_out) == (4, 9, 5)


def test_what_is_no_id_is_no_sample(tmp_path: Path) -> None:
    """A run may come from anybody."""
    with make(tmp_path / "run", {20: [7, -3, np.inf, 1e300]}, counts={20: (1 << 32) - 1}) as query:
        batch = query.batch(20).batch
        assert (batch.samples.tolist(), batch.count) == ([7], 1)


def around(triggers: Sequence[int], poison: int) -> dict[int, list[int]]:
    """Return batches of three around triggers, the poison in the trigger's own."""
    generator = np.random.default_rng(2)
    watched = {}
    for trigger in triggers:
        for iteration in range(trigger - 5, trigger + 6):
            watched[iteration] = generator.integers(1000, 9000, 3).tolist()
        watched[trigger][1] = poison
    return watched


TRIGGERS = [20, 40, 60, 80]


def test_a_sample_in_a_batch_before_the_triggers_own_is_named(tmp_path: Path) -> None:
    triggers = list(range(20, 260, 20))
    watched = around(triggers, 0)
    for trigger in triggers:
        watched[trigger][1] = trigger
        watched[trigger - 3][1] = 77
    with make(tmp_path / "run", watched, (0, 300), triggers=triggers) as query:
        assert [(one.sample, one.times) for one in query.batch(60).standouts] == [(77, 12)]


def test_the_chance_is_that_of_two_looks_at_all_samples(tmp_path: Path) -> None:
    watched = around(TRIGGERS, 77)
    samples = {one for batch in watched.values() for one in batch}
    with make(tmp_path / "run", watched, triggers=TRIGGERS) as query:
        (found,) = query.batch(60).standouts
    assert found.chance == pytest.approx(2 * len(samples) / math.comb(44, 4))


def test_of_the_two_looks_the_more_striking_one_counts(tmp_path: Path) -> None:
    """In the triggers' own batches the sample is rare enough to be named, with those before them far more so."""
    triggers = list(range(20, 260, 20))
    watched = around(triggers, 0)
    for place, trigger in enumerate(triggers):
        watched[trigger][1] = trigger
        if place < 8:
            watched[trigger][2] = watched[trigger - 1][2] = 77
    samples = len({one for batch in watched.values() for one in batch})
    own, every = (2 * samples * tail(132, chosen, 16, inside) for chosen, inside in ((12, 8), (48, 16)))
    with make(tmp_path / "run", watched, (0, 300), triggers=triggers) as query:
        (found,) = query.batch(60).standouts
    assert (found.times, found.of) == (8, 12)
    assert found.chance == pytest.approx(every)
    assert every < own < 0.01


def test_a_trigger_whose_batches_were_not_kept_does_not_count(tmp_path: Path) -> None:
    with make(tmp_path / "run", around(TRIGGERS, 77), triggers=[*TRIGGERS, 88, 89]) as query:
        assert query.batch(60).events == 4 + 1  # that of 88 has one of its four left
        assert query.batch(60).standouts[0].of == 5


def test_a_sample_before_every_trigger_is_named_and_one_trigger_names_nobody(tmp_path: Path) -> None:
    with make(tmp_path / "run", around(TRIGGERS, 77), triggers=TRIGGERS) as query:
        found = query.batch(60)
        assert [(one.sample, one.times, one.of, one.batches) for one in found.standouts] == [(77, 4, 4, 4)]
        assert found.place_of(found.standouts[0]) == 60
        assert found.sentence == "1 sample id stands before 4 of 4 triggers, this one too: 77"
        assert query.batch(55).sentence == "3 samples in the batch of 55; none stands out over 4 triggers"
    with make(tmp_path / "one", around([40], 77), triggers=[40]) as query:
        assert query.batch(40).standouts == ()
        assert query.batch(40).sentence.endswith("in the batch of 40; one trigger is too few to say which")


def test_of_very_many_batches_those_of_triggers_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches_module, "MOST_READ", 32 * ROWS)
    monkeypatch.setattr(batches_module, "AT_ONCE", 4)
    with make(tmp_path / "run", around(TRIGGERS, 77), triggers=TRIGGERS) as query:
        assert [one.sample for one in query.batch(60).standouts] == [77]


def test_of_an_iteration_that_is_a_record_and_a_watch_the_ids_of_the_watch_count(tmp_path: Path) -> None:
    """They have more room there."""
    columns = (
        *(Column("samples", "<f8", "watches", ROWS), Column("sample_count", "<u4", "watches", 1)),
        *(Column("record_samples", "<f8", "records", 2), Column("record_sample_count", "<u4", "records", 1)),
    )
    ids, count = np.array([5.0, 6.0, 7.0, 8.0]), np.array([4], np.uint32)
    with RunWriter(tmp_path / "run", STRUCTURE, METADATA, compact=False, columns=columns) as writer:
        watch, record = make_record(2), make_record(2)
        object.__setattr__(watch, "columns", {"samples": ids, "sample_count": count})
        object.__setattr__(record, "columns", {"record_samples": ids[:2], "record_sample_count": count})
        writer.append_watch(watch)
        writer.append_record(record)
        later = make_record(3)
        object.__setattr__(later, "columns", {"record_samples": ids[2:], "record_sample_count": count})
        writer.append_record(later)
    with open_run(tmp_path / "run") as query:
        batch, last = query.batch(20).batch, query.batch(30).batch
        assert (batch.samples.tolist(), batch.left_out) == ([5, 6, 7, 8], 0)
        assert (last.iteration, last.samples.tolist(), last.left_out) == (30, [7, 8], 2)


def test_records_alone_are_enough(tmp_path: Path) -> None:
    columns = (Column("record_samples", "<f8", "records", 2), Column("record_sample_count", "<u4", "records", 1))
    with RunWriter(tmp_path / "run", STRUCTURE, METADATA, compact=False, columns=columns) as writer:
        for place in range(4):
            record = make_record(place)
            values = {"record_samples": np.array([place, place + 50.0]), "record_sample_count": np.array([2])}
            object.__setattr__(record, "columns", values)
            writer.append_record(record)
    with open_run(tmp_path / "run") as query:
        found = query.batch(25)
        assert (found.batch.iteration, found.batch.samples.tolist(), found.unit) == (20, [2, 52], "incident")
        assert [one.iteration for one in found.before] == [10, 0]
