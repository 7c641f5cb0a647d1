"""weights.jsonl: read back as written, what does not fit is passed over, and it goes where the run goes."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dtui.errors import UsageError
from dtui.model import Trigger
from dtui.model.findings.kept_weights import WeightsAt
from dtui.query import open_run
from dtui.store import check_run, pack_run
from dtui.store.disk.json_lines import LARGEST_FILE, append_line, check_of
from dtui.store.format import flight_lines
from dtui.store.format.flight_lines import parse_weights, weights_lines
from tests.store.builders import STRUCTURE
from tests.store.conftest import Recording
from tests.store.resuming import die, resume

LAYER = STRUCTURE.layers[0]
SHAPE = tuple(LAYER.shape[1:])
ELEMENTS = int(np.prod(SHAPE))
TRIGGER = Trigger(205, "filter", LAYER.name, (0, 1), 57.5, 12.25)


def weights_at(at: int, iteration: int = 205, filters: tuple[int, ...] = (0, 1)) -> WeightsAt:
    values = np.random.default_rng(at).normal(size=(len(filters), ELEMENTS)).astype(np.float32)
    values[0, :2] = np.nan, -np.inf
    return WeightsAt(iteration, LAYER.name, at, SHAPE, filters, values)


def keep(recording: Recording) -> tuple[WeightsAt, WeightsAt]:
    before, after = weights_at(190), weights_at(209)
    recording.writer.append_trigger(TRIGGER)
    recording.writer.append_weights(before)
    recording.writer.append_weights(after)
    return before, after


def assert_kept(path: Path, before: WeightsAt, after: WeightsAt) -> None:
    with open_run(path) as query:
        found = query.kept_weights()
        assert [(one.iteration, one.layer, one.filter, one.shape) for one in found] == [
            (205, 0, 0, SHAPE),
            (205, 0, 1, SHAPE),
        ]
        for one in found:
            assert (one.before_at, one.after_at) == (190, 209)
            assert one.before.tobytes() == before.values[one.filter].tobytes()
            assert one.after.tobytes() == after.values[one.filter].tobytes()


def test_weights_are_read_back_by_layer_filter_and_trigger(recording: Recording) -> None:
    recording.append(5)
    before, after = keep(recording)
    assert_kept(recording.path, before, after)
    assert check_run(recording.path).is_fine
    with open_run(recording.path) as query:
        assert [one.filter for one in query.kept_weights(0, 1)] == [1]
        assert query.kept_weights(0, 1, 206) == query.kept_weights(1) == ()
        assert len(query.kept_weights(iteration=205)) == 2
        for wrong in ((None, 1), (0, 10_000), (10_000, None)):
            with pytest.raises(UsageError, match=r"filter|layer"):
                query.kept_weights(*wrong)


def test_a_viewer_of_a_live_run_sees_the_weights_after_when_they_come(recording: Recording) -> None:
    recording.append(5)
    recording.writer.append_trigger(TRIGGER)
    recording.writer.append_weights(weights_at(190))
    with open_run(recording.path) as query:
        assert [(one.before_at, one.after_at, len(one.after)) for one in query.kept_weights(0, 0)] == [(190, None, 0)]
        recording.writer.append_weights(weights_at(209))
        assert query.refresh()
        assert [(one.before_at, one.after_at) for one in query.kept_weights(0, 0)] == [(190, 209)]


def test_a_packed_run_holds_them(recording: Recording, tmp_path: Path) -> None:
    recording.append(5)
    before, after = keep(recording)
    recording.writer.close()
    pack_run(recording.path, tmp_path / "one.h5")
    assert_kept(tmp_path / "one.h5", before, after)


def test_weights_past_a_checkpoint_are_superseded(recording: Recording) -> None:
    recording.append(30)
    keep(recording)
    die(recording.writer)
    writer = resume(recording.path, 200)
    writer.append_trigger(TRIGGER)  # it fires there again, after another course
    writer.append_weights(weights_at(220))
    with open_run(recording.path) as query:
        assert [(one.before_at, one.after_at) for one in query.kept_weights(0, 0)] == [(None, 220)]
    writer.close()


def values_of(count: int) -> str:
    return base64.b64encode(bytes(4 * count)).decode()


@pytest.mark.parametrize(
    "wrong",
    [
        {"iteration": -1},
        {"iteration": True},
        {"iteration": 1 << 70},
        {"at": "190"},
        {"layer": None},
        {"shape": [0]},
        {"shape": "33"},
        {"shape": [1] * 100},
        {"shape": []},
        {"filters": []},
        {"filters": [0, 0]},
        {"filters": [-1, 0]},
        {"filters": [0.5, 1]},
        {"filters": list(range(5000))},
        {"values": ""},
        {"values": 7},
        {"values": "\N{BULLET}"},
        {"values": values_of(2)[:-1]},
        {"values": values_of(3)},
        {"values": values_of(2 * ELEMENTS + 2)},
    ],
)
def test_a_line_that_cannot_be_is_passed_over(recording: Recording, wrong: dict[str, object]) -> None:
    recording.append(5)
    before, after = keep(recording)
    (line,) = weights_lines(recording.path / "none", before)
    assert parse_weights(line) is not None
    assert parse_weights({**line, **wrong}) is None
    append_line(recording.path / "weights.jsonl", {**line, **wrong})
    assert_kept(recording.path, before, after)


@pytest.mark.parametrize(
    "wrong", [{"layer": "\x1b[31mno such"}, {"shape": [ELEMENTS + 1]}, {"filters": [9_999, 10_000]}, {"iteration": 206}]
)
def test_a_line_of_another_network_or_trigger_is_passed_over(recording: Recording, wrong: dict[str, object]) -> None:
    recording.append(5)
    before, after = keep(recording)
    (line,) = weights_lines(recording.path / "none", replace(weights_at(191), at=190))
    append_line(recording.path / "weights.jsonl", {**line, **wrong})
    assert_kept(recording.path, before, after)


def test_a_damaged_line_is_told_by_the_check_and_costs_itself(recording: Recording) -> None:
    recording.append(5)
    keep(recording)
    path = recording.path / "weights.jsonl"
    first, second = path.read_text().splitlines()
    path.write_text(first.replace('"at": 190', '"at": 191') + "\n" + second + "\n")
    assert not check_run(recording.path).is_fine
    with open_run(recording.path) as query:
        assert [(one.before_at, one.after_at) for one in query.kept_weights(0, 0)] == [(None, 209)]


def test_the_file_stays_bounded(recording: Recording, monkeypatch: pytest.MonkeyPatch) -> None:
    recording.append(5)
    keep(recording)
    size = (recording.path / "weights.jsonl").stat().st_size
    monkeypatch.setattr(flight_lines, "LARGEST_WEIGHTS", size)
    recording.writer.append_weights(weights_at(250))
    recording.writer.close()  # nothing is said to be lost
    assert (recording.path / "weights.jsonl").stat().st_size == size
    assert flight_lines.LARGEST_WEIGHTS < LARGEST_FILE


def test_a_line_has_the_text_that_the_format_states(recording: Recording) -> None:
    recording.append(1)
    before, _ = keep(recording)
    line = json.loads((recording.path / "weights.jsonl").read_text().splitlines()[0])
    check = line.pop("check")
    assert check == check_of(line)
    values = np.frombuffer(base64.b64decode(line.pop("values")), "<f4").reshape(2, ELEMENTS)
    assert values.tobytes() == before.values.tobytes()
    assert line == {"iteration": 205, "layer": LAYER.name, "at": 190, "shape": list(SHAPE), "filters": [0, 1]}
