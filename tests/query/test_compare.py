"""Two runs beside each other: what differs, where they part, and what cannot be compared."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dtui.errors import NotRecordedError
from dtui.model import LAYER_STATISTICS, SOURCES, Layer, Structure, TimeAxis
from dtui.model.compare import Alignment, Comparison, Measure
from dtui.model.judging import BY_THRESHOLD, HIGHER, Judging, class_called, classes_called
from dtui.query import RunQuery, open_run
from dtui.query.compare.pairs import columns_of
from tests.query.fake_reader import FakeReader

NORM = LAYER_STATISTICS.index("norm2")
SAMPLES = Path(__file__).parents[2] / "sample_runs"


def calm(seed: int = 0, noise: int = 0) -> FakeReader:
    """Return a run whose layers move little; runs of another `noise` differ by that little everywhere."""
    reader = FakeReader(seed=seed)
    random = np.random.default_rng(noise)
    for source in range(len(SOURCES)):
        reader.layers[source, NORM] = 3 * np.exp(random.normal(0, 0.03, reader.layers.shape[2:]))
    if noise:
        reader.scalars["loss"] = reader.scalars["loss"] * np.exp(random.normal(0, 0.05, 200))
    return reader


def compared(a: FakeReader, b: FakeReader, alignment: Alignment | None = None) -> Comparison:
    return RunQuery(a.path, a).compare(RunQuery(b.path, b), alignment)


def test_a_run_and_itself_are_the_same_to_the_end() -> None:
    found = compared(calm(), calm())
    assert not found.divergences
    assert found.differences == ()
    assert found.verdict == "the same, number for number, to the end (599)"


def test_the_class_that_breaks_is_named_where_it_breaks() -> None:
    broken = calm()
    broken.labels[:70, 30:33] = 2  # class 0, the validations at 312, 322 and 332
    found = compared(calm(), broken)
    (first,) = found.divergences
    assert (first.iteration, first.iteration_b) == (312, 312)
    assert [one.name for one in first.of("class")] == ["class 0"]
    assert first.of("class")[0].b == pytest.approx(1.0)
    assert found.same_until == 309
    assert found.verdict.startswith("first divergence: iteration 312, class 0")
    assert "the same, number for number, up to 309" in found.verdict


@pytest.mark.parametrize("noise", [0, 5])
def test_the_layer_that_jumps_is_named_where_it_jumps(noise: int) -> None:
    jumped = calm(noise=noise)
    jumped.layers[SOURCES.index("updates"), NORM, 3, 40:] *= 30
    found = compared(calm(), jumped)
    places = {(one.iteration, one.of("layer")[0].name) for one in found.divergences}
    assert places == {(409, "layer1.1.conv1")}
    assert found.layers.names[found.layers.order[0]] == "layer1.1.conv1"
    assert found.same_until == (None if noise else 402)


def test_runs_that_never_lay_together_do_not_part_by_chance() -> None:
    """Twelve pairs of runs with other noise: nothing is planted, and nothing is found."""
    found = [compared(calm(noise=seed), calm(noise=seed + 50)).divergences for seed in range(12)]
    assert sum(map(len, found)) <= 1


def test_nan_in_one_run_parts_it_from_the_other() -> None:
    broken = calm()
    nonfinite = LAYER_STATISTICS.index("nonfinite")
    broken.layers[SOURCES.index("weights"), nonfinite, 2, 33:] = 7
    broken.layers[SOURCES.index("weights"), NORM, 2, 33:] = np.nan
    (first,) = compared(calm(), broken).divergences
    assert first.iteration == 339
    assert first.partings[0].name == "layer1.0.conv2"
    assert first.partings[0].sentence.endswith(" and NaN or Inf")


def test_what_is_logged_parts_too() -> None:
    other = calm()
    other.scalars["learning_rate"] = np.where(np.arange(200) < 25, 0.1, 0.01)
    found = compared(calm(), other)
    first = found.divergences[0]
    assert first.iteration == 259
    assert [one.name for one in first.of("curve")] == ["learning_rate"]
    assert first.partings[0].sentence == "learning rate 0.1 and 0.01"


def test_only_what_differs_is_listed() -> None:
    a, b = calm(), calm()
    shared = {"optimizer": "SGD", "lr": "0.1"}
    a.metadata = replace(a.metadata, hyperparameters=shared, versions={"torch": "2.5"})
    b.metadata = replace(b.metadata, hyperparameters={**shared, "lr": "0.2", "nesterov": "True"}, versions={})
    assert [(one.kind, one.name, one.values) for one in compared(a, b).differences] == [
        ("hyper-parameter", "lr", ("0.1", "0.2")),
        ("hyper-parameter", "nesterov", (None, "True")),
        ("version", "torch", ("2.5", None)),
    ]


def test_other_networks_share_what_they_share_and_the_rest_is_named() -> None:
    other = calm()
    layers = tuple(
        Layer(layer.index, name, layer.kind, shape, layer.first_filter)
        for layer, name, shape in zip(
            other.structure.layers,
            ("conv1", "body.0", "body.1", "body.2", "fc"),
            ((4, 1, 5, 5), *(layer.shape for layer in other.structure.layers[1:])),
            strict=True,
        )
    )
    other.structure = Structure(layers, other.structure.modules)
    other.classes = ("class 0", "class 1", "cat", "class 3")
    found = compared(calm(), other)
    assert found.layers.names == ("conv1", "fc")
    assert found.classes.names == ("class 0", "class 1", "class 3")
    assert found.not_compared == (
        "layers only in A: layer1.0.conv1, layer1.0.conv2, layer1.1.conv1",
        "layers only in B: body.0, body.1, body.2",
        "layers of other shapes, compared by name: conv1 4×1×3×3 and 4×1×5×5",
        "classes only in A: class 2",
        "classes only in B: cat",
    )
    nothing = calm()
    nothing.structure = Structure(tuple(replace(layer, name=f"x{layer.index}") for layer in layers), ())
    nothing.classes = tuple("abcd")
    nothing.scalars = {}
    found = compared(calm(), nothing)
    assert found.not_compared[:2] == ("layers: no name in common", "classes: no name in common")
    assert found.verdict == "the same, number for number, to the end (502)"  # the error over all classes is left


def test_an_empty_run_has_nothing_in_common() -> None:
    empty = calm()
    empty.records = empty.validations = 0
    found = compared(calm(), empty)
    assert found.verdict == "nothing in common that could be compared"
    assert "classes: B has no validations" in found.not_compared


def test_runs_of_other_length_are_paired_by_their_share() -> None:
    short, long = calm(), calm()
    short.records, short.validations = 50, 50
    long.records, long.validations = 100, 100
    found = compared(short, long, Alignment.SHARE)
    assert len(found.layers.keys) == 50
    assert found.layers.at_b[-1] == 999
    assert found.layers.at_a[-1] == 499
    assert np.all(np.abs(found.layers.at_b - 2 * found.layers.at_a) <= 20)
    assert found.same_until is None


def test_epochs_are_those_that_were_logged() -> None:
    a, b = calm(), calm()
    with pytest.raises(NotRecordedError, match="epoch"):
        compared(a, b, Alignment.EPOCH)
    a.scalars["epoch"] = np.arange(200) / 10
    b.scalars["epoch"] = np.arange(200) / 20
    found = compared(a, b, Alignment.EPOCH)
    assert found.alignments == tuple(Alignment)
    assert found.layers.at_a[-1] == 309  # epoch 3.0, the nearest to 2.95
    assert found.layers.at_b[-1] == 599


def test_columns_keep_what_stands_out() -> None:
    broken = calm()
    broken.labels[:70, 30] = 2
    found = compared(calm(), broken)
    columns = columns_of(found.classes, (0, 2), TimeAxis(0, 600, 6))
    assert columns.rows == (0, 2)
    assert columns.b[0].argmax() == 3
    assert columns.b[0, 3] == pytest.approx(1.0)
    assert columns.distance[0].argmax() == 3
    assert columns.a.shape == columns.b.shape == columns.distance.shape == (2, 6)


def test_a_measure_that_one_run_lacks_is_replaced() -> None:
    a, b = calm(), calm()
    contents = a.contents
    a.contents = replace(contents, sources=tuple(one for one in contents.sources if one != "updates"))
    found = RunQuery(a.path, a).compare(RunQuery(b.path, b))
    assert found.measures == (Measure.WEIGHTS, Measure.GRADIENTS)
    assert found.layers.measure == Measure.WEIGHTS


def test_healthy_and_faulty_sample_part_where_the_faults_are() -> None:
    with open_run(SAMPLES / "mnist-healthy") as healthy, open_run(SAMPLES / "mnist-faults") as faulty:
        found = healthy.compare(faulty)
        back = faulty.compare(healthy)
    assert found.same_until == 420
    assert [one.iteration for one in found.divergences] == [430, 750, 1360, 1650]
    first = found.divergences[0]
    assert [one.name for one in first.of("class")] == ["4"]
    assert "layer3.2.conv2" in [one.name for one in first.of("layer")]
    assert found.verdict.startswith("first divergence: iteration 430, class 4; ")
    assert found.divergences[2].words == "1,360, layer3.0.conv1"
    assert [len(some) for some in found.incidents] == [0, 5]
    assert [one.words for one in back.divergences] == [one.words for one in found.divergences]
    assert found.layers.names[found.layers.order[0]] == "layer3.0.conv1"


def test_incidents_of_the_other_run_lie_on_the_first_ones_axis() -> None:
    with open_run(SAMPLES / "mnist-healthy") as healthy, open_run(SAMPLES / "mnist-resumed") as resumed:
        by_iteration, by_share = (healthy.compare(resumed, one) for one in (None, Alignment.SHARE))
    ((incident,), (place,)) = by_share.incidents[1], by_share.incidents_at
    assert incident.first > 2390  # the first run never came so far
    assert by_iteration.incidents_at == (None,)
    assert place == pytest.approx(incident.first / 4216 * 2390, abs=20)


def test_a_class_is_called_so_once() -> None:
    scored = Judging("IoU", HIGHER, BY_THRESHOLD, 0.5, 2)
    called = {
        "cat": "class cat",
        "class 0": "class 0",
        "Class_1": "Class_1",
        "class": "class",
        "classic": "class classic",
    }
    assert {name: class_called(name) for name in called} == called
    assert [class_called(name, scored) for name in ("class 0", "group 1")] == ["group class 0", "group 1"]
    assert classes_called(["cat", "dog at 4"]) == "classes cat, dog at 4"
    assert classes_called(["class 0", "class 4", "cat"]) == "class 0, class 4, class cat"
    assert classes_called(["cat"]) == "class cat"
