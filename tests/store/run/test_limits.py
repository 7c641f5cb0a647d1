"""What a reader would pass over is refused before it is written, so that nothing is written and then dropped."""

from __future__ import annotations

import errno
import os
import re
import stat
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dtui.errors import RunDamagedError, UsageError
from dtui.model import Gap, ImageSet, RunStatus
from dtui.store import RunWriter
from dtui.store.disk.json_lines import LARGEST_FILE, LONGEST_LINE, append_line, read_lines
from dtui.store.format import documents as document
from dtui.store.format.joins import Join
from dtui.store.run.run_file import RunFile
from tests.store.builders import METADATA, STRUCTURE, make_record
from tests.store.conftest import Recording
from tests.store.folding import fold


def test_the_longest_line_is_read_and_a_longer_one_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "lines.jsonl"
    rest = len(b'{"check": "01234567", "note": ""}\n')
    append_line(path, {"note": "x" * (LONGEST_LINE - rest)})
    assert path.stat().st_size == LONGEST_LINE
    with pytest.raises(OSError, match="it takes 65,537 bytes, a line at most 65,536") as caught:
        append_line(path, {"note": "x" * (LONGEST_LINE - rest + 1)})
    assert caught.value.errno == errno.EMSGSIZE
    lines, bad = read_lines(path)
    assert (len(lines), bad, path.stat().st_size) == (1, 0, LONGEST_LINE)


def test_a_full_file_is_read_whole_and_takes_no_more(tmp_path: Path) -> None:
    path = tmp_path / "lines.jsonl"
    append_line(path, {"note": "x" * 60_000})
    whole = path.read_bytes()
    path.write_bytes(whole * (LARGEST_FILE // len(whole)))
    before = path.stat().st_size
    with pytest.raises(OSError, match="it is full, with 16 MiB of lines"):
        append_line(path, {"note": "x" * 60_000})
    assert path.stat().st_size == before
    assert read_lines(path)[1] == 0


def test_a_note_that_is_too_long_is_refused_and_says_so(recording: Recording) -> None:
    reader = recording.reader()
    reader.append_decisions([("a", "flagged", "kept")])
    for note in ("x" * 70_000, "é" * 12_000):  # a character of no ASCII takes six bytes
        with pytest.raises(UsageError, match=r"could not be written, it takes .* bytes.*; shorten the note"):
            reader.append_decisions([("a", "dismissed", note)])
    assert reader.decisions() == {"a": ("flagged", "kept")}
    assert not reader.faults


def test_more_decisions_than_are_read_are_refused(recording: Recording) -> None:
    path = recording.path / "triage.jsonl"
    path.touch()
    os.truncate(path, LARGEST_FILE - 10)
    with pytest.raises(RunDamagedError, match="it is full, with 16 MiB of lines; of each anomaly keep the last line"):
        recording.reader().append_decisions([("a", "flagged", "")])
    assert path.stat().st_size == LARGEST_FILE - 10


def test_gaps_that_find_no_room_are_told_at_the_end(recording: Recording) -> None:
    path = recording.path / "gaps.jsonl"
    path.touch()
    os.truncate(path, LARGEST_FILE - 10)
    recording.writer.append_gap(Gap(5, 6, "records", "slow disk"))
    with pytest.raises(OSError, match="1 gaps, triggers or logged values could not be noted"):
        recording.writer.close()
    assert recording.reader().status() is RunStatus.DONE


def test_a_run_that_was_resumed_too_often_is_refused_and_stays_readable(recording: Recording) -> None:
    run_file = RunFile.read(recording.path)
    joins = tuple(Join(at, {"records": (at, at + 1)}, {"gaps.jsonl": 0, "triggers.jsonl": 0}) for at in range(40_000))
    with pytest.raises(OSError, match=r"resumed 40,000 times, and more is not kept; record into another run"):
        replace(run_file, joins=joins).write(recording.path)
    assert RunFile.read(recording.path) == run_file
    replace(run_file, joins=joins[:5_000]).write(recording.path)
    assert len(RunFile.read(recording.path).joins) == 5_000


@pytest.mark.parametrize(
    ("largest", "values", "line"),
    [
        (2_000, 5_000_000, "classes: too much text, in all"),
        (64 << 20, 150, r"classes: too much text.* and \d{3} values"),
    ],
)
def test_a_structure_that_no_reader_takes_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, largest: int, values: int, line: str
) -> None:
    monkeypatch.setattr(document, "LARGEST_DOCUMENT", largest)
    monkeypatch.setattr(document, "MOST_VALUES", values)
    names = [f"a class with a comma, and a number {number}" for number in range(100)]
    with pytest.raises(UsageError, match=line):
        RunWriter(tmp_path / "run", STRUCTURE, METADATA, classes=names, compact=False)
    assert not list(tmp_path.iterdir())


def test_images_that_no_reader_takes_are_not_written(recording: Recording, monkeypatch: pytest.MonkeyPatch) -> None:
    images = ImageSet(("a", "b"), np.zeros(20, np.uint16), tuple(f"a,b,c/{number}.png" for number in range(20)))
    writer = RunWriter(recording.path.parent / "other", STRUCTURE, METADATA, compact=False)
    monkeypatch.setattr(document, "MOST_VALUES", 50)
    with pytest.raises(UsageError, match="ids: too much text"):
        writer.set_images(images)
    writer.close()
    assert not (writer.path / "images.h5").exists()


# --- a folder that a group shares


@pytest.mark.parametrize("umask", [0o002, 0o027])
def test_the_umask_decides_who_may_write(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        writer = RunWriter(tmp_path / "run", STRUCTURE, METADATA, compact=False)
        for iteration in range(40):
            writer.append_record(make_record(iteration))
        writer.append_gap(Gap(5, 6, "records", "slow disk"))
        writer.close()
        fold(writer.path, finish=True)
        append_line(writer.path / "triage.jsonl", {"what": "a"})
    finally:
        os.umask(before)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.rglob("*")}
    assert {"triage.jsonl", "gaps.jsonl", "run.json", "structure.h5", "heartbeat", "journal", "parts"} <= set(modes)
    assert any(re.fullmatch(r"records-.*\.h5", name) for name in modes)
    folders = {"run.dtui", "journal", "parts"}
    wanted = {name: (0o777 if name in folders else 0o666) & ~umask for name in modes}
    assert {name: oct(mode) for name, mode in modes.items()} == {name: oct(mode) for name, mode in wanted.items()}


def test_a_journal_is_made_with_the_mode_that_the_umask_leaves(tmp_path: Path) -> None:
    before = os.umask(0o002)
    try:
        writer = RunWriter(tmp_path / "run", STRUCTURE, METADATA, compact=False)
        writer.append_record(make_record(0))
        (journal,) = (writer.path / "journal").iterdir()
        assert stat.S_IMODE(journal.stat().st_mode) == 0o664
        writer.close()
    finally:
        os.umask(before)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be three people")
def test_three_members_of_a_group_decide_side_by_side(
    recording: Recording, as_member: Callable[[int, Callable[[], None]], int]
) -> None:
    for folder in recording.path.parents:  # pytest makes them for one user alone
        if folder == Path(tempfile.gettempdir()):
            break
        folder.chmod(folder.stat().st_mode | 0o011)
    os.chown(recording.path, 0, 4321)
    recording.path.chmod(0o2775)
    reader = recording.reader()
    for member in (1001, 1002, 1003):
        assert (
            as_member(member, lambda name=f"anomaly-{member}": reader.append_decisions([(name, "flagged", name)])) == 0
        )
    assert reader.decisions() == {f"anomaly-{m}": ("flagged", f"anomaly-{m}") for m in (1001, 1002, 1003)}


@pytest.fixture
def as_member() -> Callable[[int, Callable[[], None]], int]:
    """Return what runs a function as another user of group 4321 under umask 002, and returns its exit status."""

    def run(user: int, function: Callable[[], None]) -> int:
        child = os.fork()
        if child == 0:
            status = 1
            try:
                os.umask(0o002)
                os.setgroups([])
                os.setresgid(4321, 4321, 4321)
                os.setresuid(user, user, user)
                function()
                status = 0
            finally:
                os._exit(status)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    return run
