"""A run whose path comes to mean something else while it is recorded: what was recorded stays, and goes on."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dtui.model import Gap, RunStatus
from dtui.store import RunReader, RunWriter, find_past
from dtui.store.disk.run_folder import Place
from tests.store.builders import IMAGES, METADATA, STRUCTURE, make_record, make_validation
from tests.store.twin import Twin

BEFORE, AFTER = 10, 90
"""Records on both sides of what happens: the current journal file has 32."""


@pytest.fixture(autouse=True)
def _stay(tmp_path: Path) -> Iterator[None]:
    """Work in a folder of the test's own, and come back."""
    before = Path.cwd()
    os.chdir(tmp_path)
    yield
    os.chdir(before)


def _go_elsewhere() -> None:
    Path("elsewhere/runs").mkdir(parents=True)
    os.chdir("elsewhere")


def _rename_the_run() -> None:
    Path("real/runs/a.dtui").rename("real/runs/b.dtui")


def _rename_the_parent() -> None:
    Path("real").rename("moved")


def _switch_the_link() -> None:
    Path("other/runs").mkdir(parents=True)
    Path("link").unlink()
    Path("link").symlink_to("other")


def _put_another_in_its_place() -> None:
    Path("real").rename("moved")
    Path("real").mkdir()
    with RunWriter("link/runs/a", STRUCTURE, METADATA, compact=False) as other:
        other.append_record(make_record(0))


CHANGES: dict[Callable[[], None], str] = {
    _go_elsewhere: "real/runs/a.dtui",
    _rename_the_run: "real/runs/b.dtui",
    _rename_the_parent: "moved/runs/a.dtui",
    _switch_the_link: "real/runs/a.dtui",
    _put_another_in_its_place: "moved/runs/a.dtui",
}


@pytest.mark.parametrize("compact", [False, True])
@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_it_goes_on_in_the_folder_that_the_path_meant(
    tmp_path: Path, change: Callable[[], None], compact: bool
) -> None:
    """All that is opened later: new journals, images, gaps, the sign of life, run.json, and the compactor's parts."""
    Path("real").mkdir()
    Path("link").symlink_to("real")
    writer = RunWriter("link/runs/a", STRUCTURE, METADATA, compact=compact)
    for position in range(BEFORE):
        writer.append_record(make_record(position))
    change()
    here = sorted(path for path in tmp_path.rglob("*") if path.is_dir())
    writer.set_images(IMAGES)
    writer.append_gap(Gap(3, 4, "records", "a test"))
    for position in range(BEFORE, BEFORE + AFTER):
        writer.append_record(make_record(position))
    writer.append_validation(make_validation(0))
    writer.close()
    assert sorted(path for path in tmp_path.rglob("*") if path.is_dir()) == here
    reader = RunReader(tmp_path / CHANGES[change])
    Twin([make_record(n) for n in range(BEFORE + AFTER)], [make_validation(0)]).assert_read_by(reader)
    assert (reader.status(), reader.gaps) == (RunStatus.DONE, (Gap(3, 4, "records", "a test"),))
    parts = [path.name for path in (reader.path / "parts").iterdir()]
    assert ("records-0000000000-0000000100.h5" in parts) is compact
    reader.close()


def test_a_reader_reads_on_after_chdir(tmp_path: Path) -> None:
    writer = RunWriter("runs/a", STRUCTURE, METADATA, compact=False)
    reader = RunReader(Path("runs/a"))
    _go_elsewhere()
    for position in range(40):
        writer.append_record(make_record(position))
    reader.refresh()
    Twin([make_record(n) for n in range(40)], images=None).assert_read_by(reader)
    reader.append_decisions([("x", "flagged", "")])
    assert (tmp_path / "runs/a.dtui/triage.jsonl").exists()
    writer.close()
    reader.close()


def test_a_run_is_taken_over_where_it_was_found(tmp_path: Path) -> None:
    RunWriter("runs/a", STRUCTURE, METADATA, compact=False).close()
    past = find_past("runs/a")
    assert past is not None
    _go_elsewhere()
    writer = RunWriter.resume(past, 0, compact=False)
    writer.append_record(make_record(0))
    writer.close()
    assert len(RunReader(tmp_path / "runs/a").record_iterations) == 1


def test_an_error_names_the_run_as_it_was_given(tmp_path: Path) -> None:
    writer = RunWriter("runs/a", STRUCTURE, METADATA, compact=False)
    shutil.rmtree("runs/a.dtui")
    with pytest.raises(FileNotFoundError, match="No such file") as caught:
        writer.append_record(make_record(0))
    assert caught.value.filename == str(tmp_path / "runs/a.dtui")
    Path("runs/a.dtui").mkdir()  # another folder there is not ours
    with pytest.raises(FileNotFoundError, match="folder of the run was removed"):
        writer.append_record(make_record(0))
    assert list(Path("runs/a.dtui").iterdir()) == []


def test_a_run_that_was_copied_to_another_disk_goes_on_there() -> None:
    """As where a disk is full: moved to another one, and a link put in its place."""
    writer = RunWriter("runs/a", STRUCTURE, METADATA, compact=False)
    for position in range(BEFORE):
        writer.append_record(make_record(position))
    shutil.copytree("runs/a.dtui", "big")
    shutil.rmtree("runs/a.dtui")
    Path("runs/a.dtui").symlink_to(Path("big").absolute())
    for position in range(BEFORE, BEFORE + AFTER):
        writer.append_record(make_record(position))
    writer.close()
    reader = RunReader(Path("big"))
    Twin([make_record(n) for n in range(BEFORE + AFTER)], images=None).assert_read_by(reader)
    reader.close()


def test_a_script_that_closes_every_descriptor_loses_nothing(tmp_path: Path) -> None:
    """As one that turns itself into a daemon, and opens files of its own, which get the same numbers."""
    writer = RunWriter("runs/a", STRUCTURE, METADATA, compact=False)
    for position in range(BEFORE):
        writer.append_record(make_record(position))
    descriptors = [writer._place._descriptor, *(one._descriptor for one in writer._journals.values())]
    for descriptor in filter(lambda number: number >= 0, descriptors):
        os.close(descriptor)
    theirs = [(tmp_path / f"theirs-{n}").open("w") for n in range(4)]
    folder = os.open(tmp_path, os.O_RDONLY)
    for position in range(BEFORE, BEFORE + AFTER):
        writer.append_record(make_record(position))
    writer.close()
    for file in theirs:
        file.close()  # fails where we closed it
    os.close(folder)
    assert [(tmp_path / f"theirs-{n}").stat().st_size for n in range(4)] == [0] * 4
    reader = RunReader(Path("runs/a"))
    Twin([make_record(n) for n in range(BEFORE + AFTER)], images=None).assert_read_by(reader)
    reader.close()


def test_without_proc_the_absolute_path_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    stat = Path.stat

    def no_proc(path: Path, **options: bool) -> os.stat_result:
        if str(path).startswith("/proc"):
            raise FileNotFoundError(path)
        return stat(path, **options)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "stat", no_proc)
        writer = RunWriter("runs/a", STRUCTURE, METADATA, compact=False)
    _go_elsewhere()
    for position in range(40):
        writer.append_record(make_record(position))
    writer.close()
    assert len(RunReader(Path("../runs/a")).record_iterations) == 40


def test_a_place_lets_its_folder_go(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    place = Place(tmp_path)
    assert len(os.listdir("/proc/self/fd")) == before + 1
    del place
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize("found", ["", "src", ":/tmp/x", "src:"])
def test_a_child_searches_no_folder_of_the_run_for_modules(monkeypatch: pytest.MonkeyPatch, found: str) -> None:
    """An empty or relative entry means the working directory: where the child stands, that is not what was meant."""
    from dtui.store.disk.child_process import child_environment

    monkeypatch.setenv("PYTHONPATH", found)
    entries = child_environment()["PYTHONPATH"].split(":")
    assert all(os.path.isabs(entry) for entry in entries)
    assert {os.path.abspath(entry) for entry in found.split(":") if found} <= set(entries)
