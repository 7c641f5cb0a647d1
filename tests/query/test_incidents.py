"""Incidents of whole runs: what is found, kept, forgotten, decided on, and what cannot be judged."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from dtui.analysis.detectors.online import gradient_jump
from dtui.analysis.detectors.stream.detector import online_detectors
from dtui.model import FILTER_STATISTICS, LAYER_STATISTICS, SOURCES, Cause, Incident, RunStatus, Standing, Trigger
from dtui.query import RunQuery, open_run
from dtui.query.incidents import walk as incidents
from dtui.query.incidents.evidence_table import COLUMNS, EvidenceTable
from tests.query.fake_reader import EVERY, FakeReader
from tests.query.troubled_reader import DEATH, DROP, JUMP, SPIKE, renamed_reader, troubled_reader


def at(record: int) -> int:
    return record * EVERY + 9


def asked(reader: FakeReader) -> RunQuery:
    return RunQuery(reader.path, reader)


def causes(found: tuple[Incident, ...]) -> list[tuple[int, str]]:
    return [(one.first, str(one.cause)) for one in found]


PLANTED = [(at(JUMP), "filter"), (at(DEATH), "dead"), (at(SPIKE), "update"), (at(DROP) + 3, "class")]


# --- real runs, which the rules were seen to work on while they were made
def test_the_run_with_five_faults_has_five_incidents(repository: Path):
    with open_run(repository / "sample_runs" / "mnist-faults.dtui") as query:
        found = query.incidents()
    assert [(one.cause, one.layers[:1], one.filters) for one in found] == [
        (Cause.CLASS, (), ()),
        (Cause.UPDATE, (), ()),
        (Cause.DEAD, ("layer2.1.conv1",), (1, 4, 5, 8, 11, 14)),
        (Cause.FILTER, ("layer3.0.conv1",), (17,)),
        (Cause.CLASS, (), ()),
    ]
    assert [one.classes[:1] for one in found if one.cause is Cause.CLASS] == [(4,), (7,)]
    faults = (423, 742, 1003, 1351, 1642)
    assert all(0 <= one.first - fault <= 20 for one, fault in zip(found, faults, strict=True))
    assert [one.persists for one in found] == [False, None, True, True, False]


def test_dead_filters_stay_so_where_the_rest_of_their_layer_dies_too():
    reader = troubled_reader()
    layer = next(one for one in reader.structure.layers if one.filter_rows.start <= 4 < one.filter_rows.stop)
    rows = slice(layer.filter_rows.start, layer.filter_rows.stop - 1)
    reader.filters[FILTER_STATISTICS.index("gradient_norm"), rows, 150:] = 0
    (found,) = (one for one in asked(reader).incidents() if one.cause is Cause.DEAD)
    assert found.persists
    (dead,) = (one for one in asked(reader).state().entries if one.standing is Standing.DEAD)
    assert (dead.layer, len(dead.filters)) == (layer.name, layer.filters - 1)


@pytest.mark.parametrize(("validations", "persists"), [(None, True), (8, False)])
def test_a_drop_of_the_whole_network_is_still_so_until_it_is_over(validations: int | None, persists: bool):
    reader = troubled_reader(calm=True)
    end = None if validations is None else DROP + validations
    wrong = np.random.default_rng(4).random(reader.labels[:, DROP:end].shape) < 0.6
    reader.labels[:, DROP:end] = np.where(wrong, (reader.targets[:, None] + 1) % 4, reader.labels[:, DROP:end])
    (found,) = asked(reader).incidents()
    assert (found.cause, found.persists) == (Cause.NETWORK, persists)


@pytest.mark.parametrize("run", ["mnist-healthy.dtui", "mnist-resumed.dtui"])
def test_a_healthy_run_has_none_and_a_resumed_one_its_own(repository: Path, run: str):
    with open_run(repository / "sample_runs" / run) as query:
        found = query.incidents()
        assert causes(found) == ([] if "healthy" in run else [(3002, "filter")])
        assert "jumps of filters" in query.incident_checks()


def test_a_class_whose_place_another_one_takes_is_told_so():
    (found,) = asked(renamed_reader()).incidents()
    assert (found.cause, found.classes) == (Cause.CLASS, (2,))
    (told,) = (one for one in found.evidence if one.rule == "missing")
    assert (told.classes, told.iteration) == ((2,), at(DROP) + 3)


# --- growing
def test_planted_trouble_is_found_and_nothing_in_a_calm_run():
    assert causes(asked(troubled_reader()).incidents()) == PLANTED
    assert asked(troubled_reader(calm=True)).incidents() == ()


def test_a_growing_run_answers_like_one_that_is_opened_anew_and_reads_new_records_only():
    growing = troubled_reader(30)
    query = asked(growing)
    for records in range(30, 181, 10):
        growing.grow(records, records)
        query.refresh()
        before = len(growing.reads)
        found = query.incidents()
        reads = [read for read in growing.reads[before:] if read[0] == "filters"]
        if records > 30:
            assert len([start for _, start, _ in reads if start == records - 10]) >= 2
            assert [one for one in reads if one[1] < records - 10 and one[2] - one[1] > 4] == []
        assert found == asked(troubled_reader(records)).incidents(), records
    assert causes(found) == PLANTED


def test_what_is_final_stays():
    seen: dict[str, Incident] = {}
    for records in range(30, 200, 3):
        for one in asked(troubled_reader(records)).incidents():
            if one.id in seen:
                assert (one.cause, one.first, one.layers, one.classes) == seen[one.id]
            if one.is_final:
                seen[one.id] = (one.cause, one.first, one.layers, one.classes)
    assert len(seen) == len(PLANTED)


def test_records_that_no_longer_stand_where_they_stood_are_looked_at_anew():
    reader = troubled_reader(120)
    query = asked(reader)
    query.incidents()
    reader.joins = ("joined",)
    reader.filters[FILTER_STATISTICS.index("update_ratio"), 11, JUMP] = 0.02
    reader.grow(130, 130)
    query.refresh()
    assert causes(query.incidents()) == PLANTED[1:3]


@pytest.mark.parametrize(
    ("names", "record", "told"),
    [
        (("learning_rate_2",), SPIKE, "the learning rate of optimizer 2 leapt then, to 50 times "),
        (("learning_rate_2",), SPIKE - 3, "the learning rate of optimizer 2 leapt 30 iterations earlier, to 50 times "),
        (("learning_rate_2_group_3", "learning_rate_2"), SPIKE, "the learning rate of optimizer 2 leapt then"),
        (("learning_rate_group_2",), SPIKE, "the learning rate of group 2 leapt then, to 500 times "),
        (("learning_rate_2",), SPIKE - 5, ""),
        (("learning_rate_2",), SPIKE + 1, ""),
        (("learning_rate_else",), SPIKE, ""),
    ],
)
def test_an_incident_names_the_further_learning_rate_that_leapt_before_it(
    names: tuple[str, ...], record: int, told: str
):
    reader = troubled_reader()
    for name in names:
        before = np.nan if "group_2" in name else 0.1  # a group that went with the first one, whose rate is 0.01 then
        reader.scalars[name] = np.where(np.arange(reader.total) < record, before, 5.0)
    found = {one.cause: one.moved_first for one in asked(reader).incidents()}
    assert found[Cause.UPDATE].startswith(told)
    assert sum("leapt" in words for words in found.values()) == bool(told)


def test_the_flight_recorder_dates_an_incident_to_the_iteration():
    reader = troubled_reader()
    reader.triggers = (Trigger(at(SPIKE) - 4, "update", "", (), 40.0, 12.0),)
    found = {one.cause: one for one in asked(reader).incidents()}
    assert found[Cause.UPDATE].first == at(SPIKE) - 4
    assert "12 times the usual" in found[Cause.UPDATE].sentence


def test_watches_among_the_records_change_nothing():
    reader = troubled_reader()
    regular = asked(troubled_reader()).incidents()
    reader.watched = (150, 151)
    reader.filters[..., 150:152] = np.nan
    assert causes(asked(reader).incidents()) == causes(regular)


# --- decisions
def test_decisions_on_incidents_and_on_the_anomalies_that_they_are_made_of():
    reader = troubled_reader()
    query = asked(reader)
    first, *_, drop = query.incidents()
    query.decide(first.id, "dismissed", "known")
    reader.decided[f"class-left-2-{at(DROP) + 3}-lost"] = ("flagged", "why?")
    reader.decided[f"class-left-1-{at(DROP) + 3}-lost"] = ("dismissed", "another class")
    again = query.incidents()
    assert (again[0].status, again[0].note) == ("dismissed", "known")
    assert (again[-1].status, again[-1].note) == ("flagged", "why?")
    assert {one.status for one in again[1:-1]} == {"new"}
    query.decide(drop.id, "new", "")
    assert query.incidents()[-1].status == "new"


# --- what cannot be judged
def lacking(reader: FakeReader) -> str:
    return " | ".join(lacks.sentence for lacks in asked(reader).incidents_not_judged() if not lacks.is_covered)


def test_what_a_run_lacks_is_named_and_the_rest_is_judged():
    without = troubled_reader()
    without.validations, without.with_images = 0, False
    assert "drops of classes" in lacking(without)
    assert "no validations" in lacking(without)
    assert causes(asked(without).incidents()) == PLANTED[:3]
    without = troubled_reader()
    without.layers[SOURCES.index("gradients")] = np.nan
    without.filters[FILTER_STATISTICS.index("gradient_norm")] = np.nan
    assert "gradients were not recorded" in lacking(without)
    assert (at(DEATH), "dead") not in causes(asked(without).incidents())
    without.layers[SOURCES.index("gradients"), LAYER_STATISTICS.index("nonfinite")] = 4
    assert "gradients were not recorded" not in lacking(without)
    assert f"could not be judged: no gradient was finite in the last {incidents.AT_ONCE} records" in lacking(without)
    without = troubled_reader()
    del without.scalars["loss"]
    assert "no loss was logged" in lacking(without)


def test_few_records_are_early_and_not_fine():
    (early,) = asked(troubled_reader(7)).incidents_not_judged()
    assert early.is_early
    assert "7 records" in early.sentence
    assert asked(troubled_reader(7)).incidents() == ()
    assert asked(troubled_reader(0)).incidents() == ()


def test_a_detector_that_raises_is_told_and_the_others_go_on(monkeypatch: pytest.MonkeyPatch):
    def fail(self, block):
        raise ZeroDivisionError("of all things")

    monkeypatch.setattr(gradient_jump.GradientJump, "values", fail)
    query = asked(troubled_reader())
    assert causes(query.incidents()) == PLANTED
    (told,) = query.detector_faults()
    assert "detector gradient failed" in told
    assert "of all things" in told


def test_nan_weights_end_the_story():
    reader = troubled_reader()
    reader.layers[0, LAYER_STATISTICS.index("nonfinite"), :, 90:] = 7
    reader.layers[..., 90:] = np.where(np.isfinite(reader.layers[..., 90:]), reader.layers[..., 90:], 0)
    found = asked(reader).incidents()
    assert causes(found) == [*PLANTED[:2], (at(90), "nonfinite")]
    assert "5 layers at once" in found[-1].sentence


# --- kept
@pytest.fixture
def run(tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(incidents, "WORTH_KEEPING_SECONDS", 0.0)
    shutil.copytree(repository / "sample_runs" / "mnist-faults.dtui", tmp_path / "run.dtui")
    (tmp_path / "run.dtui" / "findings.h5").unlink(missing_ok=True)  # of whoever looked at the sample before
    return tmp_path / "run.dtui"


def computed(monkeypatch: pytest.MonkeyPatch, path: Path) -> bool:
    """Whether a new viewer goes through the records."""
    heard = []
    hear = incidents.Incidents._hear
    with monkeypatch.context() as patch:
        patch.setattr(incidents.Incidents, "_hear", lambda self, block: (heard.append(block), hear(self, block)))
        with open_run(path) as query:
            query.incidents()
    return bool(heard)


def test_evidence_of_an_ended_run_is_kept_and_found_again(run: Path, monkeypatch: pytest.MonkeyPatch):
    with open_run(run) as query:
        first = query.incidents()
        query.anomalies()
    assert (run / "findings.h5").exists()
    assert not computed(monkeypatch, run)
    with open_run(run) as query:
        assert query.incidents() == first


def test_a_little_at_a_time_the_same_is_found_and_kept(run: Path, monkeypatch: pytest.MonkeyPatch):
    with open_run(run) as query:
        slices = 1
        while not query.prepare_incidents(0.0):
            slices += 1
        assert slices > 3
        assert (run / "findings.h5").exists()
        sliced = query.incidents()
        assert query.prepare_incidents(0.0)
    assert not computed(monkeypatch, run)
    (run / "findings.h5").unlink()
    with open_run(run) as query:
        assert not query.prepare_incidents(0.0)
        assert query.incidents() == sliced  # the rest at once
    with open_run(run) as query:
        assert query.incidents() == sliced


def test_a_run_that_grows_between_two_slices_answers_like_one_that_is_opened_anew():
    growing = troubled_reader(100)
    query = asked(growing)
    assert not query.prepare_incidents(0.0)
    growing.grow(180, 180)
    query.refresh()
    while not query.prepare_incidents(0.0):
        pass
    assert query.incidents() == asked(troubled_reader(180)).incidents()


def test_another_version_is_not_believed(run: Path, monkeypatch: pytest.MonkeyPatch):
    with open_run(run) as query:
        query.incidents()
    monkeypatch.setattr("dtui.query.incidents.evidence_table.VERSION", 99)
    assert computed(monkeypatch, run)


@pytest.mark.parametrize(
    ("place", "value"),
    [(0, 99), (1, -3), (4, 22), (6, -9), (14, 33), (48, 10**6), (7, np.float64(np.inf).view(np.int64))],
)
def test_impossible_numbers_from_outside_are_not_believed(run: Path, place: int, value: int):
    with open_run(run) as query:
        expected = query.incidents()
        table = EvidenceTable(query._data)
        rows = np.array([table._row(one) for one in query._incidents.evidence()], dtype=np.int64)
        rows[0, place] = value
        query._data.reader.findings.write(table._key(), rows)
        assert rows.shape[1] == COLUMNS
    with open_run(run) as query:
        assert EvidenceTable(query._data).read() is None
        assert query.incidents() == expected


def test_a_live_run_is_not_kept(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(incidents, "WORTH_KEEPING_SECONDS", 0.0)
    reader = troubled_reader()
    kept = []
    monkeypatch.setattr(reader.findings, "write", lambda key, table: kept.append(key))
    asked(reader).incidents()
    assert kept == []
    reader.state = RunStatus.DONE
    asked(reader).incidents()
    assert len(kept) == 1


def test_every_detector_says_where_its_numbers_come_from():
    for one in online_detectors():
        assert one.source
        assert one.needs
        assert one.title
        assert all(constant.source for constant in one.constants.values())
