"""The judge of the corpus on invented incidents, whose right answers were counted by hand."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from dtui.model import Anomaly, Evidence, Showing
from tests.truth.corpus import figures, judging, table
from tests.truth.corpus.found import Found, from_anomalies, from_incidents
from tests.truth.corpus.judge import (
    RECOVERY,
    SILENT,
    WINDOW,
    Judgement,
    KnownFault,
    Truth,
    judge,
    quiet_records,
    read_truth,
)

EVERY, RECORDS = 4, 100

POISON = KnownFault("poisoned labels", 121, 132, (), (3,), ("class",), True)
FLIP = KnownFault("bit flip, large", 241, 241, ("conv2",), (), ("filter",), True)


def truth_of(*faults: KnownFault, seed: int = 5, classes: int = 10, block: str = "tuning") -> Truth:
    return Truth(seed, block, classes, classes > 10, EVERY, EVERY * (RECORDS - 1) + 1, faults)


def found_at(first: int, cause: str = "class", **rest: object) -> Found:
    return Found(first, first, cause, **rest)


def test_a_fault_is_found_by_what_begins_from_its_first_iteration_to_the_end_of_its_window() -> None:
    last = 132 + WINDOW * EVERY
    for first, is_hit in ((120, False), (121, True), (124, True), (last, True), (last + 1, False)):
        (verdict,) = judge(truth_of(POISON), [found_at(first)]).verdicts
        assert verdict.is_hit is is_hit, first


def test_what_begins_before_a_fault_or_after_it_is_recovered_from_is_false_and_what_is_between_is_neither() -> None:
    recovered = 132 + (WINDOW + RECOVERY) * EVERY
    for first, false in ((0, 1), (120, 1), (121, 0), (recovered, 0), (recovered + 1, 1)):
        judgement = judge(truth_of(POISON), [found_at(first)])
        assert (len(judgement.false), judgement.incidents) == (false, 1), first


def test_the_delay_counts_records_from_the_first_that_could_show_the_fault() -> None:
    for first, delay in ((121, 0), (124, 0), (125, 1), (128, 1), (140, 4)):
        assert judge(truth_of(POISON), [found_at(first)]).verdicts[0].delay == delay, first
    assert judge(truth_of(POISON), []).verdicts[0].delay is None


def test_quiet_records_are_those_of_a_slow_count() -> None:
    truth = truth_of(POISON, FLIP)
    slow = []
    for record in range(RECORDS):
        iteration, quiet = record * EVERY, record >= SILENT
        for fault in truth.faults:
            if fault.begin <= iteration <= fault.end + (WINDOW + RECOVERY) * EVERY:
                quiet = False
        slow.append(quiet)
    assert quiet_records(truth).tolist() == slow
    assert judge(truth, []).quiet == sum(slow)


def test_chance_is_the_share_of_quiet_stretches_of_a_slow_count() -> None:
    truth, found = truth_of(POISON), [found_at(first) for first in (100, 300, 301, 350)]
    quiet = quiet_records(truth)
    begun = {-(-each.first // EVERY) for each in found}
    length = (132 + WINDOW * EVERY) // EVERY - -(-121 // EVERY) + 1
    stretches = [range(start, start + length) for start in range(RECORDS - length + 1)]
    stretches = [stretch for stretch in stretches if all(quiet[record] for record in stretch)]
    slow = sum(bool(begun & set(stretch)) for stretch in stretches) / len(stretches)
    assert 0 < slow < 1
    assert judge(truth, found).verdicts[0].chance == pytest.approx(slow)


def test_a_run_without_a_quiet_stretch_says_nothing_about_chance() -> None:
    long = KnownFault("frozen layer", 61, 380, ("conv1",), (), ("frozen",), True)
    assert math.isnan(judge(truth_of(long), []).verdicts[0].chance)


def test_causes_layers_and_classes_are_judged_of_the_first_incident_and_of_any() -> None:
    found = [found_at(244, classes=(1, 3)), found_at(248, "filter", layers=("conv1", "conv2"))]
    (verdict,) = judge(truth_of(FLIP), found).verdicts
    assert (verdict.names_cause(), verdict.names_cause(only_first=True)) == (True, False)
    assert (verdict.names_layer(), verdict.names_layer(only_first=True)) == (True, False)
    (verdict,) = judge(truth_of(POISON), [found_at(124, classes=(1, 3))]).verdicts
    assert (verdict.names_class(), verdict.names_class(only_first=True)) == (True, False)


def test_main_figures_count_what_was_counted_by_hand() -> None:
    invisible = KnownFault("bit flip, small", 241, 241, ("fc",), (), ("filter",), False)
    missed = KnownFault("frozen layer", 241, 280, ("fc",), (), ("frozen",), True)
    group = [
        judge(truth_of(POISON, FLIP), [found_at(124, classes=(3,)), found_at(244, "layer", layers=("conv2",))]),
        judge(truth_of(POISON, invisible), [found_at(130, "network"), found_at(242, "filter", layers=("fc",))]),
        judge(truth_of(missed), [found_at(80)]),
        judge(truth_of(), [found_at(80), found_at(200)]),
    ]
    told = figures.main_figures(group)
    assert (told["visible faults found"].count, told["visible faults found"].total) == (3, 4)
    assert told["false incidents a hundred quiet records"].count == 3
    assert told["… of the healthy runs alone"] == figures.Rate(2, (RECORDS - SILENT) / 100)
    assert (told["right cause"].count, told["right cause"].total) == (1, 3)
    assert (told["right layer"].count, told["right layer"].total) == (1, 1)
    assert (told["right class"].count, told["right class"].total) == (1, 2)
    assert told["incidents a run with faults"] == figures.Rate(5, 3)
    assert told["incidents a healthy run"] == figures.Rate(2, 1)
    kinds = figures.kind_figures(group)
    assert (kinds["bit flip, small"]["invisible"], kinds["bit flip, small"]["invisible, found"]) == (1, 1)
    assert kinds["poisoned labels"]["first called"] == {"class": 1, "network": 1}
    causes = figures.cause_figures(group)
    assert causes["class"] == {"right": 1, "wrong": 0, "false": 3}
    assert causes["layer"] == {"right": 0, "wrong": 1, "false": 0}
    assert causes["filter"] == {"right": 1, "wrong": 0, "false": 0}


def test_detectors_are_counted_by_their_evidence() -> None:
    found = [
        found_at(124, detectors=("classes", "loss")),
        found_at(244, "filter", detectors=("filter",)),
        found_at(80, detectors=("classes",)),
    ]
    told = figures.detector_figures([judge(truth_of(POISON, FLIP), sorted(found, key=lambda each: each.first))])
    assert (told["classes"]["of visible faults"].count, told["classes"]["alone"]) == (1, 0)
    assert (told["filter"]["of visible faults"].count, told["filter"]["alone"]) == (1, 1)
    assert told["classes"]["false a hundred"].count == 1
    assert told["loss"]["false a hundred"].count == 0


@pytest.mark.parametrize(("count", "total"), [(76, 79), (0, 12), (12, 12), (1, 3)])
def test_the_interval_of_a_share_is_wilsons(count: int, total: int) -> None:
    stats = pytest.importorskip("scipy.stats")
    right = stats.binomtest(count, total).proportion_ci(method="wilson")
    assert figures.Share(count, total).interval == pytest.approx((right.low, right.high), abs=1e-12)


@pytest.mark.parametrize("count", [0, 1, 7])
def test_the_interval_of_a_rate_leaves_out_two_and_a_half_percent_on_either_side(count: int) -> None:
    stats = pytest.importorskip("scipy.stats")
    low, high = figures.Rate(count, 1.0).interval
    assert stats.poisson.cdf(count, high) == pytest.approx(0.025)
    assert low == 0 if count == 0 else stats.poisson.sf(count - 1, low) == pytest.approx(0.025)


def test_nothing_to_count_is_no_number() -> None:
    assert [str(each) for each in (figures.Share(0, 0), figures.Rate(0, 0.0), figures.Spread(0, 0, 0, 0))] == ["–"] * 3
    assert figures.plain(figures.Share(0, 0)) == {"count": 0, "total": 0, "value": None, "interval": [0.0, 1.0]}


@dataclass
class _Incident:
    first: int
    last: int
    cause: str
    layers: tuple[str, ...]
    classes: tuple[int, ...]
    evidence: tuple[Evidence, ...]
    score: float


def test_incidents_and_anomalies_become_the_same_plain_values() -> None:
    said = (Evidence("filter", 244, layer="conv2"), Evidence("loss", 248), Evidence("filter", 248, layer="conv2"))
    later = _Incident(244, 252, "filter", ("conv2",), (), said, 9.0)
    sooner = _Incident(100, 104, "class", (), (3, 1), (Evidence("class", 100, classes=(3,)),), 2.0)
    assert from_incidents([later, sooner]) == (
        Found(100, 104, "class", (), (3, 1), ("class",), 2.0),
        Found(244, 252, "filter", ("conv2",), (), ("filter", "loss"), 9.0),
    )
    shown = Showing("▼", "lost", "lost 38%")
    anomalies = [
        Anomaly("w", "watch", Evidence("watch", 241, rule="update", layer="conv2", strength=3.0), shown),
        Anomaly("c", "class", Evidence("class_rules", 241, rule="left", classes=(3,), strength=5.0), shown),
    ]
    assert from_anomalies(anomalies) == (
        Found(241, 241, "class", (), (3,), ("class_rules",), 5.0),
        Found(241, 241, "update", ("conv2",), (), ("watch",), 3.0),
    )


def _judged(seed: int, classes: int, *found: Found) -> Judgement:
    return judge(truth_of(POISON, seed=seed, classes=classes, block="judging"), found)


def test_the_table_says_seeds_checksum_windows_and_that_pictures_are_rendered() -> None:
    heading = table.Heading("incidents", "0123abcd", looks=3, versions=2)
    text = table.as_text(heading, [_judged(1000, 10, found_at(124)), _judged(1001, 200), _judged(1003, 200)])
    assert "| 10 classes | 200 classes (rendered characters) | together |" in text
    assert "judging seeds 1000–1001, 1003" in text
    assert "0123abcd; these runs were judged 3 times, with 2 states" in text
    assert "1 of 3, 33 % [6–79]" in text
    assert f"{WINDOW} records after its end" in text
    told = json.loads(json.dumps(table.as_json(heading, [_judged(1000, 10), _judged(1001, 200)])))
    assert told["seeds"] == [1000, 1001]
    assert set(told["groups"]) == {"10 classes", "200 classes (rendered characters)", "together"}


def test_each_look_at_judging_seeds_is_counted_and_one_at_tuning_seeds_is_not(tmp_path: Path) -> None:
    package = tmp_path / "dtui"
    detector = package / "analysis" / "detectors" / "dead.py"
    detector.parent.mkdir(parents=True)
    detector.write_text("LIMIT = 1\n")
    judged = [_judged(1000, 10)]
    first = judging.heading_of([tmp_path], "incidents", judged, package)
    again = judging.heading_of([tmp_path], "incidents", judged, package)
    judging.heading_of([tmp_path], "anomalies", judged, package)
    detector.write_text("LIMIT = 2\n")
    changed = judging.heading_of([tmp_path], "incidents", judged, package)
    assert [(each.looks, each.versions) for each in (first, again, changed)] == [(1, 1), (2, 1), (3, 2)]
    assert first.checksum == again.checksum != changed.checksum
    assert judging.heading_of([tmp_path / "none"], "incidents", [judge(truth_of(), [])], package).looks == 1


def test_a_folder_without_runs_is_told(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no run of the corpus there"):
        judging.judge_folders([tmp_path], "anomalies")


def test_a_truth_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "seed-00005.truth.json"
    told = {"seed": 5, "block": "tuning", "classes": 10, "rendered": False, "every": 4, "iterations": 397}
    fault = {"kind": "bit flip, large", "begin": 241, "end": 241, "layers": ["conv2"], "classes": []}
    told["faults"] = [{**fault, "causes": ["filter"], "visible": True, "effect": {}}]
    path.write_text(json.dumps({**told, "not_reached": []}))
    assert read_truth(path) == truth_of(FLIP)
    assert np.array_equal(quiet_records(read_truth(path)), quiet_records(truth_of(FLIP)))
