"""What pictures show of a large run, as it is kept: the same bits as without it, nothing read twice, and bad tables."""

from __future__ import annotations

import math
import shutil
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from dtui.model import ImageSet, RunStatus, TimeAxis, Validation
from dtui.model.cube import CubeRequest
from dtui.model.statistics import LAYERS, SOURCES
from dtui.query import RunQuery, class_table, data, open_run
from dtui.query.classes import errors
from dtui.query.incidents import walk
from dtui.query.kept import pictures
from dtui.query.layers.trained import layer_states
from dtui.store import RunReader, RunWriter
from dtui.store.run.anomaly_cache import FindingsFile
from tests.query.test_anomaly_cache import damage
from tests.store.builders import METADATA, STRUCTURE, make_record
from tests.store.noting import note_reads

MOMENTS = 48
READS = ("read_filters", "read_filter_bins", "read_layers", "read_modules", "read_class_errors", "read_labels")


@pytest.fixture(autouse=True)
def _keeps_small_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "WORTH_KEEPING", 1)
    monkeypatch.setattr(data, "LONG", MOMENTS // 2)
    monkeypatch.setattr(errors, "AT_ONCE", MOMENTS // 4)
    for by_the_clock in (class_table, walk):  # on a busy machine these would keep something, too
        monkeypatch.setattr(by_the_clock, "WORTH_KEEPING_SECONDS", math.inf)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was read of the values of the run."""
    return note_reads(monkeypatch, *READS)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with NaN, Inf and zeros, and some images that are not judged."""
    targets = np.repeat(np.arange(3), (8, 5, 9)).astype(np.uint16)
    random = np.random.default_rng(5)
    with RunWriter(tmp_path_factory.mktemp("pictures") / "run", STRUCTURE, METADATA, compact=False) as writer:
        writer.set_images(ImageSet(("a", "b", "c"), targets, tuple(map(str, range(len(targets))))))
        for position in range(MOMENTS):
            writer.append_record(make_record(position))
            labels = np.where(random.random(len(targets)) < 0.6, targets, (targets + 1) % 3).astype(np.uint16)
            labels[: position % 3] = 65_535
            writer.append_validation(Validation(position * 10, labels, np.zeros(len(targets), np.uint8)))
    return writer.path


@pytest.fixture
def run(recorded: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return shutil.copytree(recorded, tmp_path / recorded.name)


def asked_of(query: RunQuery) -> list[object]:
    """All that a report keeps of pictures."""
    axis = TimeAxis(*query.limits(), 12)
    nodes = range(len(query.tree()))
    groups = query.clusters()
    return [
        query.info().findings,
        *(query.node_series(nodes, name, source, axis) for name in LAYERS for source in SOURCES),
        query.node_boxes((1, 0), "weights", axis),
        *(query.filter_courses(layer, "update_ratio", axis, 3, (1,)) for layer in range(3)),
        groups,
        query.class_errors([one.classes for one in groups], axis),
        query.class_errors([(2,), (0,)], axis),
        query.class_courses("change", 3),
        *(query.confusion_times(label) for label in range(3)),
        query.cube(CubeRequest(axis)),
        query.curves(axis),
    ]


def in_a_report(path: Path) -> list[object]:
    with open_run(path) as query, query.keeping_pictures():
        return asked_of(query)


def as_bits(value: Any) -> Any:
    """Return a value in which arrays are their bytes and types."""
    if isinstance(value, np.ndarray):
        return str(value.dtype), value.shape, value.tobytes()
    if is_dataclass(value):
        return type(value), [as_bits(getattr(value, field.name)) for field in fields(value)]
    if isinstance(value, float):
        return np.float64(value).tobytes()
    if isinstance(value, Mapping):
        return [(name, as_bits(one)) for name, one in value.items()]
    return [as_bits(one) for one in value] if isinstance(value, (list, tuple)) else value


def expected_of(path: Path) -> Any:
    with open_run(path) as query:
        return as_bits(asked_of(query))


def test_what_is_kept_is_the_same_to_the_last_bit_and_nothing_is_read_for_it(run: Path, reads: list[str]) -> None:
    expected = expected_of(run)
    assert as_bits(in_a_report(run)) == expected
    assert set(reads) == set(READS)
    kept = (run / "findings.h5").read_bytes()
    with open_run(run) as query, query.keeping_pictures():
        query.incident_grid()  # incidents, and what layers do at the end, are asked of the run itself
        layer_states(query._data)
        reads.clear()
        assert as_bits(asked_of(query)) == expected
        assert not reads
    assert (run / "findings.h5").read_bytes() == kept, "what was not new is not written again"


def test_what_another_report_asks_for_is_kept_beside_it(run: Path, reads: list[str]) -> None:
    def boxes(node: int) -> object:
        with open_run(run) as query, query.keeping_pictures():
            return as_bits(query.node_boxes((node,), "weights", TimeAxis(*query.limits(), 12)))

    found = [boxes(node) for node in (0, 1)]
    assert reads
    reads.clear()
    assert [boxes(node) for node in (0, 1)] == found
    assert not reads


def test_a_small_run_and_a_live_one_are_left_alone(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(pictures, "WORTH_KEEPING", 1_000_000)
        in_a_report(run)
        patch.setattr(pictures, "WORTH_KEEPING", 1)
        patch.setattr(RunReader, "status", lambda _: RunStatus.LIVE)
        in_a_report(run)
    assert not (run / "findings.h5").exists()
    in_a_report(run)
    assert (run / "findings.h5").exists()


def test_what_was_kept_does_not_outlive_damage_that_came_later(run: Path, reads: list[str]) -> None:
    in_a_report(run)
    kept = (run / "findings.h5").read_bytes()
    journal = min(path for path in (run / "journal").glob("*.dtj") if path.name.startswith("records"))
    damage(journal, journal.stat().st_size // 2)
    expected = expected_of(run)
    reads.clear()
    assert as_bits(in_a_report(run)) == expected
    assert set(reads) == set(READS)
    assert (run / "findings.h5").read_bytes() == kept, "nothing of a damaged run is kept"


def test_more_than_fits_is_made_anew(run: Path, reads: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "MOST_BYTES", 16 << 10)
    expected = expected_of(run)
    for _ in range(2):
        reads.clear()
        assert as_bits(in_a_report(run)) == expected
    assert reads


LIES = {
    "nothing": lambda words: np.zeros_like(words),
    "negative": lambda words: -words - 1,
    "huge": lambda words: np.full_like(words, 2**62),
    "moved": lambda words: np.roll(words.reshape(-1), 1).reshape(words.shape),
    "cut": lambda words: words[:1],
    "swapped": lambda words: np.where(np.abs(words) < 64, 3, words),
    "far": lambda words: np.where(np.abs(words) < 64, words + 1, words),
    "not a number": lambda words: np.where(np.abs(words) < 2**20, words, -1),
}


@pytest.mark.parametrize("lie", LIES)
def test_impossible_tables_from_outside_are_not_believed(run: Path, monkeypatch: pytest.MonkeyPatch, lie: str) -> None:
    expected = [type(one) for one in in_a_report(run)]
    whole = FindingsFile.read_first

    def lying(file: FindingsFile, keys: list[dict[str, object]], *asked: int | None) -> tuple[int, np.ndarray] | None:
        found = whole(file, keys, *asked)  # type: ignore[arg-type]
        return found if found is None or keys[0].get("of") != "pictures" else (found[0], LIES[lie](found[1]))

    monkeypatch.setattr(FindingsFile, "read_first", lying)
    told = in_a_report(run)
    assert [type(one) for one in told] == expected
    if lie != "not a number":  # values of a picture may be any
        assert as_bits(told) == expected_of(run)


NUMBERS = st.sampled_from(("?", "<i8", "<f4", "<f8", "<u2"))


@given(st.lists(arrays_of.arrays(NUMBERS, arrays_of.array_shapes(min_dims=0, max_dims=3, min_side=0)), max_size=4))
def test_arrays_come_back_as_they_were(given: list[np.ndarray]) -> None:
    found = pictures._decoded(pictures._encoded(tuple(given)))
    assert found is not None
    for one, other in zip(found, given, strict=True):
        assert (one.dtype, one.shape) == (other.dtype, other.shape)
        np.testing.assert_array_equal(one, other)


def test_what_fits_in_fewer_bytes_takes_fewer() -> None:
    for kind, most in (("<i8", 2), ("<f8", 5)):
        (found,) = pictures._decoded(words := pictures._encoded((np.arange(100, dtype=kind),))) or ()
        assert found.tolist() == list(range(100))
        assert words.nbytes < 100 * most


@pytest.mark.parametrize(
    "words",
    [
        *([1, 1], [1, 1, 2, 1], [1, 1, 1, 2, 5]),  # cut
        *([7, 0, 0, 1], [0, 7, 0, 1], [-1, 0, 0, 1], [0, 0, 1, 1, 2]),  # no such type, or value of it
        *([1, 1, -1, 5], [1, 1, 1, -1, 5], [1, 1, 2, 0, 2**40], [1, 1, 5, *([1] * 5), 5]),  # no such shape
    ],
)
def test_words_that_are_no_arrays_are_refused(words: list[int]) -> None:
    good = [1, 1, 4, 1, 1, 1, 1, 9]
    for some in (words, [*good, *words]):
        assert pictures._decoded(np.array(some, np.int64)) is None
    (found,) = pictures._decoded(np.array(good, np.int64)) or ()
    assert (found.shape, found.item()) == ((1, 1, 1, 1), 9)


@given(st.lists(st.integers(-3, 9) | st.integers(-(2**63), 2**63 - 1), max_size=40))
def test_words_from_outside_are_arrays_or_refused(words: list[int]) -> None:
    found = pictures._decoded(np.array(words, np.int64))
    assert found is None or sum(one.size for one in found) <= 8 * len(words)
    for part in pictures._parts(np.array(words, np.int64).reshape(1, -1)).values():
        assert 0 < len(part) <= len(words)


def test_who_takes_a_narrower_array_keeps_its_settings_for_errors() -> None:
    before = np.geterr()
    for narrower in pictures._narrower(np.array([1e300])):
        assert np.isinf(narrower).all()
        assert np.geterr() == before
