"""A packed run: one sealed file that answers everything as the directory it came from."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from dtui.errors import (
    DtuiError,
    OutputError,
    PackError,
    RunDamagedError,
    RunExistsError,
    RunFormatError,
    RunNotFoundError,
    UsageError,
)
from dtui.model import NO_VALUE, Gap, RunStatus, Trigger, was_lost
from dtui.store import RunReader, check_run, compact_run, find_runs, pack_run
from dtui.store.check.result import FileState
from dtui.store.format.schema import LINE_FILES, Stream
from dtui.store.read.packed_run import PackedDocument, read_document
from tests.store.builders import IMAGES, METADATA, STRUCTURE, make_record
from tests.store.chunks import chunk_place
from tests.store.conftest import Recording
from tests.store.hostile import ATTACKS, unseal
from tests.store.mutating import answers, assert_answers


@pytest.fixture
def out(tmp_path: Path) -> Path:
    folder = tmp_path / "archive"
    folder.mkdir()
    return folder / "one.h5"


@pytest.fixture
def ended(recording: Recording) -> Recording:
    """A run with every stream, parts, journals, gaps, triggers and decisions."""
    return end(recording)


@pytest.fixture(scope="module")
def packed_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """That run, packed for tests that change a copy."""
    folder = tmp_path_factory.mktemp("packed")
    pack_run(end(Recording(folder / "run")).path, folder / "one.h5")
    return folder / "one.h5"


def end(recording: Recording) -> Recording:
    recording.append(40, 36)
    for position in range(3):
        recording.writer.append_watch(make_record(position))
    recording.compact()
    recording.append(5, 2)
    recording.writer.append_gap(Gap(10, 30, "records", "disk \x1b[31mfull"))
    recording.writer.append_trigger(Trigger(20, "loss", "stem", (1, 2), 3.5, 2.0))
    recording.reader().append_decisions([("a", "flagged", "look")])
    recording.reader().append_decisions([("a", "dismissed", "noise")])
    recording.writer.close(RunStatus.CRASHED, "KeyboardInterrupt")
    return recording


def same_answers(one: RunReader, two: RunReader) -> None:
    for found, expected in zip(answers(one), answers(two), strict=True):
        np.testing.assert_array_equal(found.iterations, expected.iterations)
        assert found.values.keys() == expected.values.keys()
        for name, values in expected.values.items():
            np.testing.assert_array_equal(found.values[name], values, err_msg=name)


def test_a_packed_run_answers_as_its_directory(ended: Recording, out: Path) -> None:
    result = pack_run(ended.path, out)
    assert result.frames == {"records": 45, "validations": 38, "watches": 3}
    assert result.missing == ()
    packed, folder = RunReader(out), ended.reader()
    same_answers(packed, folder)
    assert packed.faults == ()
    for name in ("structure", "metadata", "classes", "gaps", "triggers", "reason", "format_version"):
        assert getattr(packed, name) == getattr(folder, name), name
    assert (packed.status(), packed.reason) == (RunStatus.CRASHED, "KeyboardInterrupt")
    assert packed.decisions() == {"a": ("dismissed", "noise")}
    assert packed.images is not None
    assert packed.images.ids == IMAGES.ids
    assert tuple(packed.read_thumbnail(image) for image in range(6)) == IMAGES.thumbnails
    assert packed.scalar_names() == folder.scalar_names()
    assert packed.refresh() is False
    packed.close()
    assert check_run(out).is_fine


def test_what_is_copied_as_it_is_stored_answers_alike(ended: Recording, out: Path) -> None:
    ended.compact(finish=True)
    assert pack_run(ended.path, out).missing == ()
    packed, folder = RunReader(out), ended.reader()
    same_answers(packed, folder)
    assert (packed.faults, packed.scalar_names()) == ((), folder.scalar_names())
    packed.close()
    assert check_run(out).is_fine


def test_damage_is_not_copied_as_it_is_stored(ended: Recording, out: Path) -> None:
    ended.compact(finish=True)
    damage_chunk(ended.path / "parts" / "records-0000000000-0000000045.h5", "/filters/update_norm")
    assert any("/filters/update_norm" in line for line in pack_run(ended.path, out).missing)
    packed, folder = RunReader(out), ended.reader()
    same_answers(packed, folder)
    assert np.isnan(packed.read_filters("update_norm", slice(None), slice(None))).all()
    packed.close()


def test_the_arrays_of_a_part_lie_in_a_group_for_each_stream(ended: Recording, out: Path) -> None:
    from dtui.store.disk.hdf5 import tables

    pack_run(ended.path, out)
    with tables.open_file(str(out)) as file:
        assert file.get_node("/records/filters/cosine_distance").shape == (12, 45)
        assert file.get_node("/validations/validation/label").shape == (6, 38)
        assert file.get_node("/watches/iterations")[:].tolist() == [0, 10, 20]
        assert {group._v_name for group in file.root} - set(Stream) == {"document", "images", "structure"}


@pytest.mark.parametrize("is_compacted", [False, True])
def test_the_same_run_packs_to_the_same_bytes(ended: Recording, out: Path, tmp_path: Path, is_compacted: bool) -> None:
    if is_compacted:
        ended.compact(finish=True)
    pack_run(ended.path, out)
    first = out.read_bytes()
    os.utime(ended.path / "run.json", (0, 0))
    pack_run(ended.path, out, force=True)
    assert out.read_bytes() == first
    moved = shutil.move(ended.path, tmp_path / "another name.dtui")
    pack_run(moved, out, force=True)
    assert out.read_bytes() == first, "its name does not show"


def test_a_run_without_images_or_frames_is_packed(tmp_path: Path, out: Path) -> None:
    from dtui.store import RunWriter

    RunWriter(tmp_path / "empty", STRUCTURE, METADATA, compact=False).close()
    assert pack_run(tmp_path / "empty", out).frames == {}
    reader = RunReader(out)
    assert (reader.images, reader.faults, len(reader.record_iterations)) == (None, (), 0)
    reader.close()


def test_a_run_of_which_not_all_was_seen_is_incomplete_and_stored_as_done(recording: Recording, out: Path) -> None:
    """A dtui of before knows no other word for a run that ended by itself, and would call the file damaged."""
    recording.append(2, 1)
    recording.writer.close(RunStatus.DONE, "updates were not seen")
    assert json.loads((recording.path / "run.json").read_text())["closed"] == "done"
    pack_run(recording.path, out)
    assert PackedDocument.decode(read_document(out), out).status is RunStatus.DONE
    for path in (recording.path, out):
        reader = RunReader(path)
        assert (reader.status(), reader.reason) == (RunStatus.INCOMPLETE, "updates were not seen")
        reader.close()


def test_a_live_run_is_packed_as_it_is_and_says_so(recording: Recording, out: Path) -> None:
    recording.append(35, 3)
    result = pack_run(recording.path, out)
    (line,) = result.missing
    assert line == "it was still being recorded, at iteration 340; what came after is not in it"
    recording.append(4, 0)
    reader = RunReader(out)
    assert reader.status() is RunStatus.CRASHED
    assert reader.reason == "packed while it was still being recorded"
    assert reader.faults == (f"{out}: when it was packed: {line}",)
    assert reader.record_iterations.tolist() == list(range(0, 350, 10))
    del recording.twin.records[35:]
    recording.twin.assert_records(reader, slice(None))
    reader.close()
    assert not check_run(out).is_fine


def damage_chunk(path: Path, node: str) -> None:
    offset, size = chunk_place(path, node)
    data = bytearray(path.read_bytes())
    data[offset : offset + size] = bytes(size)
    path.write_bytes(data)


def test_what_is_damaged_is_missing_and_told_and_nothing_else(ended: Recording, out: Path) -> None:
    parts = ended.path / "parts"
    for node in ("/filters/update_norm", "/layers/histogram", "/scalars"):
        damage_chunk(parts / "records-0000000000-0000000032.h5", node)
    damage_chunk(parts / "validations-0000000000-0000000032.h5", "/validation/label")
    result = pack_run(ended.path, out)
    assert any("/filters/update_norm" in line for line in result.missing)
    assert any("/layers/histogram" in line for line in result.missing)
    told = next(line for line in result.missing if line.startswith("/layers/histogram"))
    assert re.fullmatch(r".*damaged at 32 of 45 records, and all others there are left out; .* so keep it", told), told
    assert all(str(ended.path) not in line for line in result.missing)
    packed, folder = RunReader(out), ended.reader()
    same_answers(packed, folder)
    assert was_lost(folder.read_scalar("loss", slice(None))).any()
    assert not was_lost(packed.read_scalar("loss", slice(None))).any()
    every, norm = slice(None), packed.read_filters("update_norm", slice(None), slice(None))
    assert np.isnan(norm[:, :32]).all()
    assert np.isfinite(norm[:, 32:]).all()
    assert packed.read_labels(every, slice(30, 34)).tolist()[0][:2] == [NO_VALUE] * 2
    assert (packed.read_labels(every, slice(0, 32)) == NO_VALUE).all()
    assert any("/validation/label was damaged at frames 0 to 31 when it was packed" in line for line in packed.faults)
    np.testing.assert_array_equal(packed.read_labels(every, slice(32, 38)), folder.read_labels(every, slice(32, 38)))
    assert set(result.missing) <= {fault.partition("when it was packed: ")[2] for fault in packed.faults}
    packed.close()


def test_lost_files_are_told(ended: Recording, out: Path) -> None:
    (ended.path / "images.h5").unlink()
    (ended.path / "parts" / "records-0000000000-0000000032.h5").unlink()
    result = pack_run(ended.path, out)
    assert any("images.h5: missing" in line for line in result.missing)
    assert any("records 0 to 31, at the beginning: missing" in line for line in result.missing)
    reader = RunReader(out)
    assert len(reader.record_iterations) == 13 + 3
    assert len(reader.faults) == len(result.missing)
    reader.close()


def test_damaged_thumbnails_cost_only_themselves(ended: Recording, out: Path) -> None:
    damage_chunk(ended.path / "images.h5", "/thumbnails")
    result = pack_run(ended.path, out)
    assert any("the thumbnails are left out" in line for line in result.missing)
    reader = RunReader(out)
    assert reader.read_thumbnail(0) == b""
    assert len(reader.validation_iterations) == 38
    reader.close()


def test_decisions_on_a_packed_run_go_to_a_file_next_to_it(ended: Recording, out: Path) -> None:
    pack_run(ended.path, out)
    before = out.read_bytes()
    reader = RunReader(out)
    reader.append_decisions([("b", "flagged", "new")])
    assert reader.refresh() is True
    assert reader.decisions() == {"a": ("dismissed", "noise"), "b": ("flagged", "new")}
    assert out.read_bytes() == before
    side = out.with_name("one.triage.jsonl")
    assert json.loads(side.read_text())["what"] == "b"
    result = check_run(out)
    assert [str(file.path) for file in result.files] == ["one.h5", "one.triage.jsonl"]
    assert result.is_fine
    reader.close()


def test_decisions_on_another_run_are_not_taken_over(ended: Recording, out: Path, tmp_path: Path) -> None:
    pack_run(ended.path, out)
    reader = RunReader(out)
    reader.append_decisions([("b", "flagged", "")])
    reader.close()
    other = Recording(tmp_path / "other")
    other.writer.close()
    pack_run(other.path, out, force=True)
    reader = RunReader(out)
    assert reader.decisions() == {}
    reader.close()
    other.close()


def test_a_decision_that_cannot_be_written_is_one_clear_line(ended: Recording, out: Path) -> None:
    pack_run(ended.path, out)
    out.with_name("one.triage.jsonl").mkdir()
    reader = RunReader(out)
    with pytest.raises(RunDamagedError, match=r"one\.triage\.jsonl: the decision could not be written"):
        reader.append_decisions([("b", "flagged", "")])
    assert len(reader.record_iterations) == 45
    reader.close()


def test_a_folder_lists_packed_runs_beside_the_others(ended: Recording, out: Path) -> None:
    pack_run(ended.path, out)
    (out.parent / "deep").mkdir()
    shutil.copy(out, out.parent / "deep" / "two.h5")
    shutil.copy(ended.path / "structure.h5", out.parent / "no-run.h5")
    (out.parent / "text.h5").write_text("not HDF5")
    (out.parent / "empty.h5").touch()
    shutil.copytree(ended.path, out.parent / "run.dtui")
    found = {str(path.relative_to(out.parent)) for path in find_runs(out.parent)}
    assert found == {"one.h5", "deep/two.h5", "run.dtui"}


@pytest.mark.parametrize(
    ("name", "error", "line"),
    [
        ("one", UsageError, r"one: a packed run is one file whose name ends in \.h5; say .*one\.h5"),
        ("missing/one.h5", OutputError, "make its folder first: there is no .*missing"),
        ("", OutputError, "a folder; give the name of a file in it"),
        ("there.h5", RunExistsError, "something is there already; choose another name, or replace it with --force"),
        ("../run.dtui/one.h5", UsageError, "inside the run itself"),
    ],
)
def test_a_place_that_cannot_be_is_refused(
    recording: Recording, out: Path, name: str, error: type[DtuiError], line: str
) -> None:
    (out.parent / "there.h5").write_text("precious")
    before = sorted(recording.path.rglob("*"))
    with pytest.raises(error, match=line):
        pack_run(recording.path, out.parent / name)
    assert [path.name for path in out.parent.iterdir()] == ["there.h5"]
    assert sorted(recording.path.rglob("*")) == before


def test_what_is_packed_already_is_not_packed_again(ended: Recording, out: Path) -> None:
    pack_run(ended.path, out)
    with pytest.raises(UsageError, match="a packed run already; copy the file"):
        pack_run(out, out.with_name("two.h5"))
    assert compact_run(out).published == ()


def test_a_full_disk_is_one_clear_line_and_leaves_nothing(
    ended: Recording, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a limit on the size of files, which every write meets as it would a full disk."""
    from dtui.store.pack import request as packing

    limited = "import resource, runpy, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000));"
    run = f"{limited} sys.argv = ['pack', *sys.argv[1:]]; runpy.run_module('dtui.store.pack', run_name='__main__')"
    command = packing.child_command
    monkeypatch.setattr(packing, "child_command", lambda module, *rest: [*command(module)[:1], "-c", run, *rest])
    out.write_text("precious")
    with pytest.raises(PackError, match=r"one\.h5: ") as caught:
        pack_run(ended.path, out, force=True)
    assert "\n" not in str(caught.value)
    assert out.read_text() == "precious"
    assert [path.name for path in out.parent.iterdir()] == ["one.h5"]


def test_a_packing_that_is_killed_leaves_nothing_of_its_own(
    ended: Recording, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dtui.store.pack import request as packing

    dying = (
        "import os, signal, sys; from pathlib import Path; from dtui.store.disk.atomic_files import temporary_path;"
        "temporary_path(Path(sys.argv[2])).write_bytes(b'half');"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    command = packing.child_command
    monkeypatch.setattr(packing, "child_command", lambda module, *rest: [*command(module)[:1], "-c", dying, *rest])
    others = out.with_name("one.h5.tmp-1-another")
    others.write_bytes(b"of a packing that goes on")
    with pytest.raises(PackError, match=r"one\.h5: packing failed \(-9\)"):
        pack_run(ended.path, out)
    assert [path.name for path in out.parent.iterdir()] == [others.name]


def test_a_packed_run_of_a_newer_format_is_refused(
    ended: Recording, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dtui.store.format import contents

    pack_run(ended.path, out)
    monkeypatch.setattr(contents, "FORMAT_VERSION", 1)
    with pytest.raises(RunFormatError, match="format 2, this dtui reads 1; upgrade dtui"):
        RunReader(out)


def test_a_replaced_or_removed_file_is_one_clear_line(ended: Recording, out: Path) -> None:
    pack_run(ended.path, out)
    reader = RunReader(out)
    pack_run(ended.path, out, force=True)
    with pytest.raises(RunDamagedError, match="was replaced while it was read; open it again"):
        reader.refresh()
    out.unlink()
    with pytest.raises(RunDamagedError, match="was removed while it was read"):
        reader.refresh()
    reader.close()


def test_any_other_file_is_no_run(tmp_path: Path) -> None:
    (tmp_path / "a.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(200))
    with pytest.raises(RunNotFoundError, match=r"a\.h5: no packed run, or its end is damaged"):
        RunReader(tmp_path / "a.h5")


def test_flipped_bits_are_found_everywhere(ended: Recording, out: Path) -> None:
    """Wherever it is: the check finds it, and what a reader answers is true or no value."""
    pack_run(ended.path, out)
    reader = RunReader(out)
    truth = answers(reader)
    reader.close()
    good = out.read_bytes()
    for position in range(0, len(good), max(1, len(good) // 61)):
        bad = bytearray(good)
        bad[position] ^= 0x20
        out.write_bytes(bad)
        try:
            assert not check_run(out).is_fine, position
            reader = RunReader(out)
        except DtuiError:
            continue
        for found, expected in zip(answers(reader), truth, strict=True):
            assert_answers(found, expected, f"at {position}", is_whole=False, is_told=True)
        reader.close()


@pytest.mark.parametrize("name", sorted(ATTACKS))
def test_nothing_in_a_packed_run_runs(packed_once: Path, out: Path, tmp_path: Path, name: str) -> None:
    from dtui.store.disk.seal import Seal, append_seal

    shutil.copy(packed_once, out)
    unseal(out)
    marker = tmp_path / "it-ran"
    in_group(name)(out, marker)
    marker.unlink(missing_ok=True)  # PyTables runs what it finds, and the attack opens the file more than once
    append_seal(out, [], Seal.PACKED)
    with contextlib.suppress(DtuiError):
        reader = RunReader(out)
        answers(reader)
        reader.close()
    check_run(out)
    assert not marker.exists()


def in_group(name: str) -> Callable[[Path, Path], None]:
    """Return an attack on a part as one on the records of a packed run, whose nodes lie a level deeper."""

    def within(path: Path, marker: Path) -> None:
        from dtui.store.disk.hdf5 import tables

        with tables.open_file(str(path), "a") as file:
            for node in ("iterations", "filters", "document", "scalars"):
                old = f"/{node}" in file
                if old:
                    file.rename_node(f"/{node}", f"run_{node}")
                file.move_node(f"/records/{node}", "/")
        ATTACKS[name](path, marker)
        if "PYTABLES_FORMAT_VERSION" in name:
            return  # which PyTables does not open for writing any more
        with tables.open_file(str(path), "a") as file:
            for node in ("iterations", "filters", "document", "scalars"):
                if f"/{node}" in file:
                    file.move_node(f"/{node}", "/records")
                if f"/run_{node}" in file:
                    file.rename_node(f"/run_{node}", node)

    return within


def test_a_document_that_lies_is_one_clear_line(ended: Recording, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dtui.store.read.packed_run import PackedDocument

    pack_run(ended.path, out)
    reader = RunReader(out)
    reader.close()
    good = {
        "format": 2,
        "run": "x",
        "status": "done",
        "reason": "",
        "images": True,
        "streams": {},
        "lines": {},
        "missing": [],
    }
    for change in (
        {"format": "one"},
        {"status": "fine"},
        {"streams": {"records": {"frames": -1, "lost": {}}}},
        {"streams": {"records": {"frames": 1 << 60, "lost": {}}}},
        {"streams": {"records": {"frames": 3, "lost": {"/a": [1, 2]}}}},
        {"streams": []},
        {"lines": {LINE_FILES[0]: [3]}},
        {"missing": 3},
    ):
        with pytest.raises((RunDamagedError, RunFormatError)):
            PackedDocument.decode(np.frombuffer(json.dumps(good | change).encode(), np.uint8), out)
    assert PackedDocument.decode(np.frombuffer(json.dumps(good).encode(), np.uint8), out).run == "x"


def test_a_file_cut_short_is_damaged_or_no_run(ended: Recording, out: Path) -> None:
    pack_run(ended.path, out)
    whole = out.read_bytes()
    for length in (0, 100, len(whole) // 2, len(whole) - 1):
        out.write_bytes(whole[:length])
        with pytest.raises(DtuiError, match=r"one\.h5: "):
            RunReader(out)
    out.write_bytes(whole[:1000] + whole[3000:])
    with pytest.raises(DtuiError, match=r"one\.h5: "):
        RunReader(out)
    assert check_run(out).files[0].state is FileState.DAMAGED
