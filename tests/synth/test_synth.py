"""Invented runs hold what their notes say."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from dtui import synth
from dtui.errors import RunExistsError, UsageError
from dtui.store import RunReader
from dtui.store.compact.worker import RunCompactor
from dtui.synth import synthesise
from dtui.synth.networks import resnet20, resnet50

EVERY = slice(None)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunReader]:
    reader = RunReader(synthesise(tmp_path_factory.mktemp("synth") / "small", "small", seed=3, compact=False))
    yield reader
    reader.close()


def notes(reader: RunReader, kind: str) -> list[dict[str, object]]:
    found = [dict(note) for note in reader.metadata.notes if note["kind"] == kind]
    assert found
    return found


def position(reader: RunReader, iteration: object) -> int:
    return reader.record_iterations.tolist().index(iteration)


def test_it_says_that_it_is_invented(small: RunReader) -> None:
    assert small.metadata.invented
    assert small.faults == ()
    assert len(small.record_iterations) == len(small.validation_iterations) == 200
    assert len(small.classes) == 10
    assert small.images is not None
    assert len(small.images.ids) == 500


def test_a_lost_class_is_lost_and_gained_again(small: RunReader) -> None:
    errors = small.read_class_errors(EVERY)
    for note in notes(small, "class lost"):
        at, label, share = position(small, note["iteration"]), note["class_index"], note["share"]
        assert errors[label, at] - errors[label, at - 1] > 0.7 * share
        stop = position(small, note["until"])
        assert errors[label, stop - 1] - errors[label, stop] > 0.7 * share


def test_a_burst_is_where_it_is_said_to_be(small: RunReader) -> None:
    ratios = small.read_filters("update_ratio", EVERY, EVERY)
    layers = {layer.name: layer for layer in small.structure.layers}
    dead = {filter_ for note in notes(small, "dead filters") for filter_ in rows(layers, note)}
    for note in notes(small, "filter burst"):
        at = position(small, note["iteration"])
        burst = [row for row in rows(layers, note) if row not in dead]
        around = (ratios[burst, at - 1] + ratios[burst, at + 1]) / 2
        assert np.median(ratios[burst, at] / around) > 5


def rows(layers: dict, note: dict[str, object]) -> list[int]:
    return [layers[note["layer"]].first_filter + index for index in note["filters"]]  # type: ignore[attr-defined]


def test_dead_filters_stay_dead(small: RunReader) -> None:
    layers = {layer.name: layer for layer in small.structure.layers}
    (note,) = notes(small, "dead filters")
    gradients = small.read_filters("gradient_norm", EVERY, EVERY)[rows(layers, note)]
    at = position(small, note["iteration"])
    assert np.all(gradients[:, at:] == 0)
    assert np.all(gradients[:, :at] > 0)


def test_the_learning_rate_spikes_and_drops(small: RunReader) -> None:
    rates = small.read_scalar("learning_rate", EVERY)
    (note,) = notes(small, "learning-rate spike")
    at = position(small, note["iteration"])
    assert rates[at] == pytest.approx(10 * rates[at - 1])
    assert rates[0] == pytest.approx(1000 * rates[-1])


def test_the_same_seed_makes_the_same_numbers(tmp_path: Path) -> None:
    made = [
        RunReader(synthesise(tmp_path / str(at), "small", records=25, seed=seed, compact=False))
        for at, seed in enumerate((1, 1, 2))
    ]
    values = [reader.read_filters("norm", EVERY, EVERY) for reader in made]
    labels = [reader.read_labels(EVERY, EVERY) for reader in made]
    np.testing.assert_array_equal(values[0], values[1])
    np.testing.assert_array_equal(labels[0], labels[1])
    assert not np.array_equal(values[0], values[2])
    assert not np.array_equal(labels[0], labels[2])
    for reader in made:
        reader.close()


def test_networks_have_the_sizes_of_the_paper() -> None:
    paper, small = resnet50(), resnet20()
    assert len(paper.layers) == 54
    assert paper.filters == 27_560
    assert sum(np.prod(layer.shape) for layer in paper.layers) == 25_502_912
    assert len([module for module in paper.modules if module.kind == "Bottleneck"]) == 16
    assert len(small.layers) == 8
    for structure in (paper, small):
        assert structure.modules[0].layers == tuple(range(len(structure.layers)))
        assert all(module.layers for module in structure.modules)


def test_what_cannot_be_made_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="preset 'huge': not known; give one of paper, tenfold, small"):
        synthesise(tmp_path / "a", "huge")
    with pytest.raises(UsageError, match="give at least 1"):
        synthesise(tmp_path / "a", "small", records=0)
    synthesise(tmp_path / "a", "small", records=1, compact=False)
    with pytest.raises(RunExistsError):
        synthesise(tmp_path / "a", "small", records=1)


def test_progress_is_told(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    synthesise(
        tmp_path / "a", "small", records=3, compact=False, progress=lambda done, total: told.append((done, total))
    )
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_a_long_run_is_folded_while_it_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Never more journals than two folds take, few parts, and one in the end."""
    seen: list[tuple[int, list[str]]] = []

    def fold(path: Path) -> None:
        with closing(RunCompactor(path)) as compactor:
            compactor.compact(finish=True)
            compactor.sweep(0.0)
        parts = sorted(part.name for part in (path / "parts").glob("records-*"))
        seen.append((len(list((path / "journal").glob("records-*"))), parts))

    monkeypatch.setattr(synth, "FOLDED_TOGETHER", 64)
    monkeypatch.setattr(synth, "compact_run", fold)
    path = synthesise(tmp_path / "long", "small", records=150, seed=3)
    assert len(seen) == 3
    assert max(journals for journals, _ in seen[:2]) <= 3, "two folds take four journals, and one is written"
    assert seen[-1] == (0, ["records-0000000000-0000000150.h5"])
    whole = synthesise(tmp_path / "short", "small", records=150, seed=3, compact=False)
    with closing(RunReader(path)) as folded, closing(RunReader(whole)) as unfolded:
        for read in (lambda one: one.read_filters("norm", EVERY, EVERY), lambda one: one.read_labels(EVERY, EVERY)):
            np.testing.assert_array_equal(read(folded), read(unfolded))
