"""Mutated runs: never a crash, a traceback or a wrong number; what is undamaged still opens, and the check names it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dtui.errors import DtuiError
from dtui.model import FILTER_STATISTICS, NO_VALUE, ImageSet, Layer, Module, Structure, Validation, was_lost
from dtui.store import RunReader, RunWriter, check_run
from dtui.store.check.result import FileState
from dtui.store.compact.worker import RunCompactor
from dtui.store.disk.sealed_builder import chunk_starts
from dtui.store.disk.sealed_file import SealedFile
from tests.store.builders import METADATA, make_record
from tests.store.chunks import chunk_place, stored_array
from tests.store.conftest import Recording
from tests.store.folding import fold
from tests.store.mutating import mutate_runs

MUTATIONS = 240
SHARES = 2
"""Tests that share the mutations among them, so that they spread over processes."""


@pytest.mark.parametrize("share", range(SHARES))
def test_mutated_runs_never_lie(tmp_path: Path, share: int, record_property: Callable[[str, object], None]) -> None:
    tally = mutate_runs(tmp_path, share, range(MUTATIONS // SHARES))
    assert tally.failures == []
    assert tally.total == MUTATIONS // SHARES
    record_property("mutated runs", tally.total)


def damage(path: Path, at: float) -> None:
    data = bytearray(path.read_bytes())
    data[int(at * len(data))] ^= 0x10
    path.write_bytes(data)


def test_a_damaged_frame_costs_only_itself(recording: Recording) -> None:
    recording.append(5)
    damage(recording.path / "journal" / "records-0000000000.dtj", 0.5)
    reader = recording.reader()
    assert reader.record_iterations.tolist() == [0, 10, 30, 40]
    assert len(reader.validation_iterations) == 5
    assert "are no frame" in reader.faults[0]
    assert "records 2 to 2, after iteration 10: missing" in reader.faults[1]
    del recording.twin.records[2]
    recording.twin.assert_records(reader, slice(None))
    verdict = {str(file.path): file for file in check_run(recording.path).files}["journal/records-0000000000.dtj"]
    assert verdict.state is FileState.DAMAGED
    assert not check_run(recording.path).is_fine


def test_a_damaged_part_is_left_out_and_named(recording: Recording) -> None:
    recording.append(40)
    recording.compact()
    path = recording.path / "parts" / "records-0000000000-0000000032.h5"
    damage(path, 0.01)
    reader = recording.reader()
    assert reader.record_iterations.tolist() == list(range(320, 400, 10))
    assert len(reader.validation_iterations) == 40
    assert any(str(path) in fault for fault in reader.faults)
    verdict = {str(file.path): file for file in check_run(recording.path).files}[f"parts/{path.name}"]
    assert verdict.state is FileState.DAMAGED
    assert "records 0 to 31 are lost" in verdict.detail


def test_a_damaged_part_beside_its_sources_costs_nothing(recording: Recording) -> None:
    recording.append(40)
    recording.compact(sweep=False)
    damage(recording.path / "parts" / "records-0000000000-0000000032.h5", 0.01)
    reader = recording.reader()
    recording.twin.assert_records(reader, slice(None))
    assert len(reader.faults) == 1


def test_a_damaged_part_that_a_larger_one_replaced_is_not_even_opened(recording: Recording) -> None:
    recording.append(40)
    recording.compact(sweep=False)
    recording.writer.close()
    recording.compact(finish=True, sweep=False)
    for stream in ("records", "validations"):
        assert (recording.path / "parts" / f"{stream}-0000000000-0000000040.h5").exists()
        damage(recording.path / "parts" / f"{stream}-0000000000-0000000032.h5", 0.01)
    recording.twin.assert_read_by(recording.reader())


def test_a_damaged_chunk_is_no_value(recording: Recording) -> None:
    """The data of one statistic is damaged: it reads as NaN with a fault, all others as they were."""
    recording.append(40)
    recording.compact()
    path = recording.path / "parts" / "records-0000000000-0000000032.h5"
    offset, size = chunk_place(path, "/filters/share_negative")
    data = bytearray(path.read_bytes())
    data[offset : offset + size] = bytes(size)
    path.write_bytes(data)
    reader = recording.reader()
    values = reader.read_filters("share_negative", slice(None), slice(None))
    assert np.isnan(values[:, :32]).all()
    assert np.isfinite(values[:, 32:]).all()
    assert np.isfinite(reader.read_filters("update_norm", slice(None), slice(None))).all()
    assert any("/filters/share_negative" in fault for fault in reader.faults)
    assert not check_run(recording.path).is_fine


WIDE = Structure((Layer(0, "wide", "Linear", (150, 2), 0),), (Module(0, "", "Net", -1, (0,)),))


@pytest.fixture
def chunked(tmp_path: Path) -> tuple[Path, dict[str, np.ndarray]]:
    """A part of several chunks a statistic, and its values as they are before one of them is damaged."""
    with RunWriter(tmp_path / "run", WIDE, METADATA, compact=False) as writer:
        for position in range(300):
            writer.append_record(make_record(position, structure=WIDE))
    fold(writer.path, finish=True)
    reader = RunReader(writer.path)
    values = {name: reader.read_filters(name, slice(None), slice(None)) for name in FILTER_STATISTICS}
    values["loss"] = reader.read_scalar("loss", slice(None))
    reader.close()
    return writer.path, values


def flip_in_chunk(path: Path, node: str, place: int) -> tuple[slice, ...]:
    """Flip one byte in the middle of a chunk; returns what lies in it."""
    array = stored_array(path, node)
    starts = list(chunk_starts(array.shape, array.chunk))
    assert len(starts) > (1 if node.count("/") > 1 else 0)
    offset, size = chunk_place(path, node, place)
    held = tuple(slice(low, low + length) for low, length in zip(starts[place], array.chunk, strict=True))
    data = bytearray(path.read_bytes())
    data[offset + size // 2] ^= 4
    path.write_bytes(data)
    return held


@pytest.mark.parametrize("place", [0, 1, -1])
def test_a_flipped_byte_costs_its_chunk(chunked: tuple[Path, dict[str, np.ndarray]], place: int) -> None:
    path, values = chunked
    part = next((path / "parts").iterdir())
    values["std"][flip_in_chunk(part, "/filters/std", place)] = np.nan
    values["norm"][np.isnan(values["std"])] = np.nan
    reader = RunReader(path)
    for rows, frames in ((slice(None), slice(None)), (slice(60, 131), slice(3, 290, 7)), (slice(149, 150), slice(5))):
        for name in FILTER_STATISTICS:
            np.testing.assert_array_equal(reader.read_filters(name, rows, frames), values[name][rows, frames])
    assert len(reader.faults) == 1
    assert "reading /filters/std failed" in reader.faults[0]
    reader.close()


def test_a_damaged_chunk_is_tried_once(
    chunked: tuple[Path, dict[str, np.ndarray]], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, _ = chunked
    flip_in_chunk(next((path / "parts").iterdir()), "/filters/std", 0)
    failed = []
    fill = SealedFile._fill

    def count(*arguments: Any) -> None:
        try:
            fill(*arguments)
        except ValueError as error:
            failed.append(error)
            raise

    monkeypatch.setattr(SealedFile, "_fill", count)
    reader = RunReader(path)
    for _ in range(5):
        reader.read_filters("std", slice(None), slice(None))
        reader.refresh()
    assert len(failed) == 2  # of the whole, and of the chunk
    assert len(reader.faults) == 1
    reader.close()


PICTURES = ImageSet(("cat", "dog"), np.repeat([0, 1], [200, 100]).astype(np.uint16), tuple(map(str, range(300))))


@pytest.fixture
def judged(tmp_path: Path) -> tuple[Path, dict[str, np.ndarray]]:
    """A part of several chunks of labels, and what is read of it before one of them is damaged."""
    random = np.random.default_rng(0)
    with RunWriter(tmp_path / "run", WIDE, METADATA, compact=False) as writer:
        writer.set_images(PICTURES)
        for position in range(300):
            labels = random.integers(0, 2, 300).astype(np.uint16)
            writer.append_validation(Validation(position, labels, random.integers(0, 256, 300).astype(np.uint8)))
    fold(writer.path, finish=True)
    return writer.path, read_judgements(writer.path)


def read_judgements(path: Path) -> dict[str, np.ndarray]:
    reader, every = RunReader(path), slice(None)
    try:
        return {
            "label": reader.read_labels(every, every),
            "confidence": reader.read_confidences(every, every),
            "error": reader.read_class_errors(every),
            "faults": np.array(reader.faults),
        }
    finally:
        reader.close()


@pytest.mark.parametrize("node", ["label", "confidence"])
@pytest.mark.parametrize("place", [0, 1, -1])
def test_damaged_integers_cost_their_chunk(judged: tuple[Path, dict[str, np.ndarray]], node: str, place: int) -> None:
    path, truth = judged
    held = flip_in_chunk(next((path / "parts").iterdir()), f"/validation/{node}", place)
    found = read_judgements(path)
    assert len(found.pop("faults")) == 1
    truth[node][held] = NO_VALUE
    for name, values in found.items():
        np.testing.assert_array_equal(values, truth[name], err_msg=name)
    reader = RunReader(path)
    read = reader.read_labels if node == "label" else reader.read_confidences
    for images, validations in ((slice(250, 299), slice(3, 290, 7)), (slice(299, 300), slice(255, 258))):
        np.testing.assert_array_equal(read(images, validations), truth[node][images, validations])
    reader.close()


def test_the_check_tells_which_arrays_a_damaged_block_is_of(judged: tuple[Path, dict[str, np.ndarray]]) -> None:
    path, _ = judged
    part = next((path / "parts").iterdir())
    for node, place in (("/validation/label", 1), ("/validation/label", 2), ("/classes/error", 0)):
        flip_in_chunk(part, node, place)
    verdict = {file.path.name: file for file in check_run(path).files}[part.name]
    assert verdict.state is FileState.DAMAGED
    what = "damaged blocks of /validation/label and /classes/error read as no value; all else is read"
    assert verdict.detail == f"its data fails the checksum: {what}"


def test_damaged_class_errors_follow_from_the_labels(judged: tuple[Path, dict[str, np.ndarray]]) -> None:
    path, truth = judged
    part = next((path / "parts").iterdir())
    held = flip_in_chunk(part, "/classes/error", 0)
    found = read_judgements(path)
    assert "reading /classes/error failed" in found["faults"][0]
    np.testing.assert_array_equal(found["error"], truth["error"])
    flip_in_chunk(part, "/validation/label", 2)  # images 256 and on, all of the second class
    truth["error"][1:, held[1]] = np.nan
    np.testing.assert_array_equal(read_judgements(path)["error"], truth["error"])


def test_a_damaged_chunk_of_scalars_is_no_value(chunked: tuple[Path, dict[str, np.ndarray]]) -> None:
    path, values = chunked
    flip_in_chunk(next((path / "parts").iterdir()), "/scalars", 0)
    reader = RunReader(path)
    found = reader.read_scalar("loss", slice(None))
    assert was_lost(found).any()
    np.testing.assert_array_equal(found[~was_lost(found)], values["loss"][~was_lost(found)])
    assert len(reader.faults) == 1
    reader.close()


def test_a_missing_part_is_named(recording: Recording) -> None:
    recording.append(40)
    recording.compact()
    (recording.path / "parts" / "records-0000000000-0000000032.h5").unlink()
    reader = recording.reader()
    assert len(reader.record_iterations) == 8
    assert any("records 0 to 31, at the beginning: missing" in fault for fault in reader.faults)


def test_a_missing_tail_of_a_closed_run_is_named(recording: Recording) -> None:
    recording.append(40)
    recording.writer.close()
    (recording.path / "journal" / "records-0000000032.dtj").unlink()
    assert any("records 32 to 39: missing" in fault for fault in recording.reader().faults)


def test_swapped_parts_are_not_believed(recording: Recording) -> None:
    for _ in range(2):
        recording.append(32, 0)
        recording.compact()
    parts = recording.path / "parts"
    one, two = parts / "records-0000000000-0000000032.h5", parts / "records-0000000032-0000000064.h5"
    one.rename(parts / "aside")
    two.rename(one)
    (parts / "aside").rename(two)
    reader = recording.reader()
    assert reader.record_iterations.size == 0
    assert sum("not what its name and place say" in fault for fault in reader.faults) == 2


def test_a_part_of_another_run_is_not_believed(recording: Recording, tmp_path: Path) -> None:
    other = Recording(tmp_path / "other")
    for one in (recording, other):
        one.append(32, 0)
        one.compact()
    name = "records-0000000000-0000000032.h5"
    shutil.copy(other.path / "parts" / name, recording.path / "parts" / name)
    assert recording.reader().record_iterations.size == 0
    other.close()


def test_a_journal_of_another_run_is_not_believed(recording: Recording, tmp_path: Path) -> None:
    other = Recording(tmp_path / "other")
    other.append(3, 0)
    shutil.copy(other.path / "journal" / "records-0000000000.dtj", recording.path / "journal")
    assert recording.reader().record_iterations.size == 0
    other.close()


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"[" * 100_000, b'{"format": "x"}', b"\xff\xfe"])
def test_a_mangled_run_file_costs_only_the_status(recording: Recording, content: bytes) -> None:
    recording.append(2)
    (recording.path / "run.json").write_bytes(content)
    reader = recording.reader()
    assert any("run.json" in fault for fault in reader.faults)
    recording.twin.assert_records(reader, slice(None))


def test_a_run_file_larger_than_any_is_not_even_parsed(recording: Recording) -> None:
    recording.append(2)
    content = (recording.path / "run.json").read_bytes()
    (recording.path / "run.json").write_bytes(content + b" " * (4 << 20))
    reader = recording.reader()
    assert any("run.json: damaged, it has more than 4,194,304 bytes" in fault for fault in reader.faults)
    recording.twin.assert_records(reader, slice(None))


@pytest.mark.parametrize("digit", [b"0", b"3", b"6", b"1"])
def test_one_flipped_bit_makes_no_newer_format(recording: Recording, digit: bytes) -> None:
    recording.append(2)
    content = (recording.path / "run.json").read_bytes()
    (recording.path / "run.json").write_bytes(content.replace(b'"format": 2', b'"format": ' + digit))
    reader = recording.reader()
    assert "its format version fails its check" in reader.faults[0]
    recording.twin.assert_records(reader, slice(None))


def test_lost_images_cost_only_the_validations(recording: Recording) -> None:
    recording.append(2)
    (recording.path / "images.h5").unlink()
    reader = recording.reader()
    assert any("images.h5: missing; validations are left out" in fault for fault in reader.faults)
    recording.twin.assert_records(reader, slice(None))
    assert reader.validation_iterations.size == 0


@pytest.mark.parametrize("at", [0.0, 0.3, 0.9, 0.999])
def test_a_damaged_structure_is_one_clear_line(recording: Recording, at: float) -> None:
    damage(recording.path / "structure.h5", at)
    with pytest.raises(DtuiError, match=r"structure\.h5: "):
        RunReader(recording.path)
    assert check_run(recording.path).files[0].state is FileState.DAMAGED


def sweep(path: Path) -> int:
    """Remove what is replaced; returns how many files that were."""
    compactor = RunCompactor(path)
    compactor.sweep(0.0)
    compactor.close()
    return compactor.removed


def test_a_damaged_part_removes_none_of_its_sources(recording: Recording) -> None:
    """Its structure is as it was sealed, its data is not: sweeping must look at every byte before it removes."""
    recording.append(40)
    recording.compact(sweep=False)
    for path in (recording.path / "parts").iterdir():
        offset, size = chunk_place(path, "/filters/mean" if "records" in path.name else "/validation/label")
        damage(path, (offset + size / 2) / path.stat().st_size)
    assert sweep(recording.path) == 0


def test_a_part_of_another_run_removes_nothing(recording: Recording, tmp_path: Path) -> None:
    """As when somebody copies one run over another."""
    other = Recording(tmp_path / "other")
    other.append(32)
    other.compact()
    other.close()
    recording.append(40)
    shutil.copytree(other.path / "parts", recording.path / "parts", dirs_exist_ok=True)
    assert sweep(recording.path) == 0
    recording.compact()
    recording.twin.assert_read_by(recording.reader())


def test_a_whole_part_does_remove_its_sources(recording: Recording) -> None:
    recording.append(40)
    recording.compact(sweep=False)
    assert sweep(recording.path) == 2
