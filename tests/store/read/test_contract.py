"""What every run promises, however its frames are spread over journals and parts."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dtui.errors import RunExistsError, UsageError
from dtui.model import Gap, ImageSet, Record, RunStatus
from dtui.store import RunReader, RunWriter, check_run
from dtui.store.check.result import FileState
from dtui.store.disk.sealed_file import SealedFile
from dtui.store.format.bins import bin_values
from dtui.store.format.part_arrays import Node, part_nodes
from tests.store.builders import IMAGES, METADATA, STRUCTURE, make_record, make_validation
from tests.store.chunks import chunk_place
from tests.store.conftest import Recording


class Layout:
    """The conformance tests; a subclass says how the frames are spread."""

    records = 45
    validations = 38

    def spread(self, recording: Recording) -> None:
        raise NotImplementedError

    @pytest.fixture
    def reader(self, recording: Recording) -> RunReader:
        self.spread(recording)
        return recording.reader()

    def test_everything_is_read_back(self, recording: Recording, reader: RunReader) -> None:
        recording.twin.assert_read_by(reader)

    @pytest.mark.parametrize("bins", [slice(None), slice(0, 4), slice(3, 5), slice(2, 2), slice(-1, None)])
    def test_bins_hold_what_is_farthest_from_zero(self, recording: Recording, reader: RunReader, bins: slice) -> None:
        recording.twin.assert_bins(reader, bins)

    @pytest.mark.parametrize("part", [slice(30, 40), slice(0, 0), slice(-3, None), slice(1, 44, 7), slice(31, 33)])
    def test_any_stretch_is_read_back(self, recording: Recording, reader: RunReader, part: slice) -> None:
        recording.twin.assert_records(reader, part)
        recording.twin.assert_validations(reader, part)

    @pytest.mark.parametrize("rows", [slice(2, 9), slice(11, 12), slice(0, 12, 5), slice(3, 3)])
    def test_any_rows_are_read_back(self, recording: Recording, reader: RunReader, rows: slice) -> None:
        all_rows = reader.read_filters("norm", slice(None), slice(None))
        np.testing.assert_array_equal(reader.read_filters("norm", rows, slice(None)), all_rows[rows])
        images = reader.read_labels(slice(None), slice(None))
        np.testing.assert_array_equal(reader.read_labels(rows, slice(None)), images[rows])

    def test_what_is_fixed_is_read_back(self, reader: RunReader) -> None:
        assert reader.structure == STRUCTURE
        assert reader.metadata == METADATA
        assert reader.classes == IMAGES.classes
        assert reader.images is not None
        assert reader.images.ids == IMAGES.ids
        assert reader.images.thumbnails == ()
        np.testing.assert_array_equal(reader.images.targets, IMAGES.targets)
        assert tuple(reader.read_thumbnail(image) for image in range(6)) == IMAGES.thumbnails

    def test_the_check_finds_nothing(self, recording: Recording, reader: RunReader) -> None:
        result = check_run(recording.path)
        assert result.is_fine
        assert {file.state for file in result.files} == {FileState.FINE}


class TestJournals(Layout):
    def spread(self, recording: Recording) -> None:
        recording.append(self.records, self.validations)


class TestPartAndJournal(Layout):
    def spread(self, recording: Recording) -> None:
        recording.append(self.records, self.validations)
        assert len(recording.compact()) == 2


class TestOnePart(Layout):
    def spread(self, recording: Recording) -> None:
        recording.append(self.records, self.validations)
        recording.writer.close()
        assert len(recording.compact(finish=True)) == 2
        assert os.listdir(recording.path / "journal") == []


class TestManyParts(Layout):
    records = 130
    validations = 70

    def spread(self, recording: Recording) -> None:
        for _ in range(3):
            recording.append(32, 20)
            recording.compact()
        recording.append(34, 10)
        assert len(os.listdir(recording.path / "parts")) == 4


class TestBinnedPart(Layout):
    """Small parts that have a coarse level, one of which does not begin with a bin."""

    records = 85
    validations = 38

    @pytest.fixture(autouse=True)
    def _binned(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("dtui.store.format.part_arrays.LEAST_BINNED", 1)

    def spread(self, recording: Recording) -> None:
        recording.append(self.records, self.validations)
        assert len(recording.compact()) == 2


class TestBinnedAtTheEnd(TestBinnedPart):
    def spread(self, recording: Recording) -> None:
        recording.append(self.records, self.validations)
        recording.writer.close()
        assert len(recording.compact(finish=True)) == 2


class TestPartBesideItsSources(Layout):
    def spread(self, recording: Recording) -> None:
        recording.append(self.records, self.validations)
        recording.compact(sweep=False)

    def test_the_check_finds_nothing(self, recording: Recording, reader: RunReader) -> None:
        result = check_run(recording.path)
        assert result.is_fine
        left = {str(file.path) for file in result.files if file.state is FileState.LEFT_OVER}
        assert left == {"journal/records-0000000000.dtj", "journal/validations-0000000000.dtj"}


def test_small_parts_become_a_large_one(recording: Recording, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dtui.store.compact.worker.LARGE_PART", 128)
    for _ in range(4):
        recording.append(32, 0)
        recording.compact()
    assert os.listdir(recording.path / "parts") == ["records-0000000000-0000000128.h5"]
    recording.append(40, 0)
    recording.compact()
    recording.twin.assert_read_by(recording.reader())


def test_bins_of_a_part_are_read_and_not_made(recording: Recording, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dtui.store.format.part_arrays.LEAST_BINNED", 32)
    recording.append(70)
    recording.compact()
    reader = recording.reader()
    full = []
    monkeypatch.setattr(
        "dtui.store.read.coarse_level.bin_values", lambda values: full.append(values.shape[1]) or bin_values(values)
    )
    recording.twin.assert_bins(reader, slice(None))
    assert set(full) == {6}


def test_a_damaged_coarse_level_is_made_anew(recording: Recording, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dtui.store.format.part_arrays.LEAST_BINNED", 32)
    recording.append(64)
    (part, _) = recording.compact()
    offset, size = chunk_place(part, "/bins/mean")
    with part.open("r+b") as raw:
        raw.seek(offset + size // 2)
        byte = raw.read(1)
        raw.seek(-1, os.SEEK_CUR)
        raw.write(bytes([byte[0] ^ 0x10]))
    reader = recording.reader()
    recording.twin.assert_bins(reader, slice(None))
    assert any("/bins/mean" in fault for fault in reader.faults)


def test_bins_are_asked_for_one_by_one(recording: Recording) -> None:
    recording.append(9)
    with pytest.raises(UsageError, match="give no step"):
        recording.reader().read_filter_bins("mean", slice(None), slice(0, 2, 2))


def test_an_empty_run_opens(tmp_path: Path) -> None:
    with RunWriter(tmp_path / "empty", STRUCTURE, METADATA, classes=("a", "b"), compact=False) as writer:
        reader = RunReader(writer.path)
        assert reader.record_iterations.tolist() == reader.validation_iterations.tolist() == []
        assert reader.images is None
        assert reader.classes == ("a", "b")
        assert reader.scalar_names() == ()
        assert reader.read_filters("mean", slice(None), slice(None)).shape == (12, 0)
        assert reader.read_labels(slice(None), slice(None)).shape == (0, 0)
        assert reader.faults == ()
        reader.close()


def test_images_without_thumbnails_have_none(tmp_path: Path) -> None:
    with RunWriter(tmp_path / "run", STRUCTURE, METADATA, compact=False) as writer:
        writer.set_images(ImageSet(IMAGES.classes, IMAGES.targets, IMAGES.ids))
        reader = RunReader(tmp_path / "run")
        assert reader.read_thumbnail(3) == b""
        reader.close()


def test_gaps_are_kept(recording: Recording) -> None:
    gap = Gap(10, 30, "records", "disk \x1b[31mfull")
    recording.writer.append_gap(gap)
    assert recording.reader().gaps == (gap,)


def test_a_run_is_not_written_over(recording: Recording) -> None:
    with pytest.raises(RunExistsError, match="choose another name"):
        RunWriter(recording.path, STRUCTURE, METADATA)


def test_iterations_only_rise(recording: Recording) -> None:
    recording.append(2)
    with pytest.raises(UsageError, match="iteration 10 of records is not after the last one, 10"):
        recording.writer.append_record(make_record(1))
    recording.append(1)
    recording.twin.assert_read_by(recording.reader())


def test_a_wrong_shape_is_refused(recording: Recording) -> None:
    good = make_record(0)
    bad = Record(0, good.filters[:, :5], good.layers, good.modules, good.histograms, good.change_ratios, good.scalars)
    with pytest.raises(UsageError, match=r"filters has shape \(\d+, 5\), this run needs \(\d+, 12\)"):
        recording.writer.append_record(bad)


def test_validations_need_images(tmp_path: Path) -> None:
    with (
        RunWriter(tmp_path / "run", STRUCTURE, METADATA, compact=False) as writer,
        pytest.raises(UsageError, match="call set_images first"),
    ):
        writer.append_validation(make_validation(0))


def test_unknown_names_are_listed(recording: Recording) -> None:
    reader = recording.reader()
    with pytest.raises(UsageError, match="filter statistic 'speed' is unknown; use one of mean, std"):
        reader.read_filters("speed", slice(None), slice(None))
    with pytest.raises(UsageError, match="source 'speed' is unknown; use one of weights"):
        reader.read_layers("speed", "mean", slice(None))
    with pytest.raises(UsageError, match="layer 3: the run has 3 layers"):
        reader.read_histograms(3, slice(None))
    with pytest.raises(UsageError, match="runs backwards"):
        reader.read_filters("mean", slice(None, None, -1), slice(None))
    with pytest.raises(UsageError, match="image 6: the run has 6 images"):
        reader.read_thumbnail(6)


def test_closing_twice_is_closing_once(recording: Recording) -> None:
    recording.append(1)
    recording.writer.close(RunStatus.CRASHED, "a reason")
    recording.writer.close()
    assert recording.reader().status() is RunStatus.CRASHED
    with pytest.raises(UsageError, match="closed"):
        recording.append(1)


def test_more_scalars_than_a_reader_accepts_are_refused(recording: Recording) -> None:
    record = make_record(0)
    for n in range(300_000):
        record.scalars[f"scalar {n}"] = 0.1  # type: ignore[index]
    with pytest.raises(UsageError, match=r"scalars take [\d,]+ bytes; log fewer"):
        recording.writer.append_record(record)
    recording.append(1)
    recording.twin.assert_read_by(recording.reader())


def test_an_answer_that_fits_no_memory_is_refused(recording: Recording, monkeypatch: pytest.MonkeyPatch) -> None:
    recording.append(8)
    monkeypatch.setattr("dtui.store.read.stream_reader.LARGEST_ANSWER", 12 * 4 * 7)
    reader = recording.reader()
    assert reader.read_filters("norm", slice(None), slice(0, 7)).shape == (12, 7)
    with pytest.raises(UsageError, match="12 rows at 8 records: 384 bytes; ask for less"):
        reader.read_filters("norm", slice(None), slice(None))


def test_norms_follow_from_what_is_stored(recording: Recording) -> None:
    recording.append(40)
    (part, _) = recording.compact()
    file = SealedFile(part)
    held = {name: file.has(f"/filters/{name}") for name in ("mean", "std", "norm", "gradient_norm")}
    file.close()
    assert held == {"mean": True, "std": True, "norm": False, "gradient_norm": False}
    reader = recording.reader()
    mean, std = (reader.read_filters(name, slice(None), slice(None)).astype(float) for name in ("mean", "std"))
    expected = np.hypot(mean, std) * np.sqrt([[9.0]] * 3 + [[27.0]] * 5 + [[5.0]] * 4)
    found = reader.read_filters("norm", slice(None), slice(None))
    np.testing.assert_allclose(found, expected, rtol=2.0**-11 + 1e-6)
    np.testing.assert_array_equal(reader.read_filters("norm", slice(2, 12, 3), slice(30, 34)), found[2:12:3, 30:34])


def test_norms_of_some_filters_at_a_time_are_those_of_all(
    recording: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    recording.append(40)
    recording.compact()
    expected = recording.reader().read_filters("norm", slice(None), slice(None))
    monkeypatch.setattr("dtui.store.read.stream_reader._NORM_ROWS", 5)
    monkeypatch.setattr("dtui.store.read.stream_reader._NORM_VALUES", 1)
    np.testing.assert_array_equal(recording.reader().read_filters("norm", slice(None), slice(None)), expected)
    np.testing.assert_array_equal(recording.reader().read_filters("norm", slice(1, 12, 2), slice(None)), expected[1::2])


@pytest.mark.parametrize("rows", [slice(None), slice(3, 11, 2), slice(5, 6), slice(0, 12, 7)])
def test_rows_of_several_chunks_are_read_in_blocks(
    recording: Recording, monkeypatch: pytest.MonkeyPatch, rows: slice
) -> None:
    recording.append(40)
    recording.compact()
    expected = recording.reader().read_filters("mean", slice(None), slice(None))
    reader = recording.reader()
    monkeypatch.setattr("dtui.store.read.stream_reader._READ_AT_ONCE", 2 * 4 * 40)
    monkeypatch.setattr("dtui.store.read.frame_files.part_nodes", narrow_nodes)
    np.testing.assert_array_equal(reader.read_filters("mean", rows, slice(None)), expected[rows])


def narrow_nodes(*arguments: object) -> dict[str, Node]:
    """Return the nodes of a part as if a chunk had two rows."""
    return {path: replace(node, chunk=(2, *node.chunk[1:])) for path, node in part_nodes(*arguments).items()}  # type: ignore[arg-type]
