"""What is found in the sample runs, against what their notes say was done to them.

The default threshold was chosen on them: a fifth of a class, here some 20 of 100 images. At half of it the
healthy run has 61 anomalies instead of 24, most of them classes being learned for the first time (the right rule
calls that gained); at half as much again a third of the marks of the weakest visible fault are gone.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from dtui.model import Anomaly, AnomalySettings, Cause, HeatmapRequest, TimeAxis
from dtui.query import RunQuery, open_run

SAMPLES = Path(__file__).parents[2] / "sample_runs"
LATENCY = 4
"""Records after a fault within which it must show."""


@pytest.fixture(scope="module", params=["mnist-healthy", "mnist-faults"])
def run(request):
    with open_run(SAMPLES / f"{request.param}.dtui") as query:
        yield query


@pytest.fixture(scope="module")
def healthy():
    with open_run(SAMPLES / "mnist-healthy.dtui") as query:
        yield query


@pytest.fixture(scope="module")
def faulty():
    with open_run(SAMPLES / "mnist-faults.dtui") as query:
        yield query


def losses(query: RunQuery) -> list[Anomaly]:
    return [a for a in query.anomalies(AnomalySettings(rule="left")) if a.evidence.direction == "lost"]


def faults(query: RunQuery, kind: str) -> list[dict]:
    found = [dict(note) for note in query.metadata().notes if note["kind"] == kind]
    assert found, f"the sample run has no fault of kind {kind}"
    return found


def reach(query: RunQuery, fault: dict) -> range:
    """Iterations at which a fault may first show."""
    return range(int(fault["iteration"]), int(fault["last"]) + LATENCY * query.metadata().every + 1)


def test_classes_with_wrong_labels_are_found_first(faulty):
    names = faulty.image_set().classes
    for fault in faults(faulty, "poisoned_labels"):
        found = [a for a in losses(faulty) if a.iteration in reach(faulty, fault)]
        assert found, fault
        assert names[max(found, key=lambda a: a.score).class_index] == fault["class"]


def test_a_learning_rate_spike_hits_most_classes(faulty):
    for fault in faults(faulty, "learning_rate_spike"):
        hit = {a.class_index for a in losses(faulty) if a.iteration in reach(faulty, fault)}
        assert len(hit) > faulty.info().classes / 2


def test_dead_filters_are_marked_and_no_others_of_their_layer(faulty):
    for fault in faults(faulty, "dead_filters"):
        node = next(node for node in faulty.tree() if node.name == fault["layer"])
        axis = TimeAxis(*faulty.limits(), 10)
        heatmap = faulty.heatmap(HeatmapRequest(node.index, "norm", axis, 0, node.filters, node.filters))
        assert heatmap.order[heatmap.dead].tolist() == sorted(fault["filters"])


def test_a_flipped_bit_shows_in_its_filter_and_nowhere_else(faulty):
    for fault in faults(faulty, "bit_flip"):
        node = next(node for node in faulty.tree() if node.name == fault["layer"])
        start = int(fault["iteration"])
        axis = TimeAxis(start, start + 2 * faulty.metadata().every, 1)
        heatmap = faulty.heatmap(HeatmapRequest(node.index, "update_ratio", axis, 0, node.filters, node.filters))
        assert int(heatmap.values[:, 0].argmax()) in fault["filters"]


def test_the_healthy_run_loses_little_and_nothing_once_it_has_learned(healthy):
    found = losses(healthy)
    stages = healthy.stages()
    assert len(stages) > 1
    assert len(found) <= 0.02 * healthy.info().validations
    assert all(a.iteration < stages[1].iteration for a in found)


def test_no_filter_of_the_healthy_run_is_dead(healthy):
    axis = TimeAxis(*healthy.limits(), 10)
    for node in healthy.tree():
        if node.layer is not None:
            heatmap = healthy.heatmap(HeatmapRequest(node.index, "norm", axis, 0, 1, 1))
            assert not heatmap.dead.any(), node.name


def test_most_of_what_is_lost_in_the_faulty_run_was_lost_to_a_fault(faulty):
    injected = [reach(faulty, fault) for fault in map(dict, faulty.metadata().notes)]
    found = losses(faulty)
    explained = [a for a in found if any(a.iteration in within for within in injected)]
    assert len(explained) >= 0.75 * len(found)


def test_every_query_answers(run):
    axis = TimeAxis(*run.limits(), 116)
    assert {"validation_error", "train_error", "loss"} <= set(run.curves(axis).series)
    clusters = run.clusters()
    assert sorted(label for cluster in clusters for label in cluster.classes) == list(range(run.info().classes))
    assert run.class_errors([cluster.classes for cluster in clusters], axis).values.shape == (len(clusters), 116)
    verdict = run.image_verdict(0, run.info().last_iteration)
    assert verdict.pixels is not None


def test_the_segmentation_shows_both_faults_and_nothing_else():
    with open_run(SAMPLES / "digits-segmentation.dtui") as query:
        found = query.incidents()
        assert [(one.cause, one.first) for one in found] == [(Cause.CLASS, 710), (Cause.FILTER, 1000)]
        assert "group three" in found[0].sentence
        assert (found[1].layers, found[1].filters) == (("down.conv",), (5,))
        assert query.info().judging is not None
        assert query.faults() == ()
