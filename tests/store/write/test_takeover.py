"""Two hosts, one run: the one that takes it over loses nothing, the other is refused, whatever it still believes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from dtui.errors import RunExistsError
from dtui.model import Gap, RunStatus
from dtui.store import PastRun, RunReader, RunWriter, check_run, find_past, pack_run
from dtui.store.check.result import FileState
from dtui.store.run import turns
from dtui.store.run.run_file import Process, RunFile
from dtui.store.run.turns import claim_turn, highest_turn, last_claim
from dtui.store.write.resume import refuse_recorded
from tests.store.builders import IMAGES, METADATA, STRUCTURE
from tests.store.conftest import Recording
from tests.store.folding import fold
from tests.store.hosts import content, on, record_of, seeing, view_of
from tests.store.resuming import die, validation_of

A, B, C = 1, 2, 3


@pytest.fixture
def a(tmp_path: Path) -> Iterator[RunWriter]:
    """Return a writer of host A that has appended iterations 0 to 59."""
    with on("hostA"):
        writer = RunWriter(tmp_path / "run", STRUCTURE, METADATA, compact=False)
        for iteration in range(60):
            writer.append_record(record_of(A, iteration))
    yield writer
    writer._closed = True


def look(path: Path, host: str = "hostB") -> PastRun:
    """Look at the run from another host, where its heart seems still."""
    with on(host):
        past = find_past(path)
    assert past is not None
    return past


def take_over(past: PastRun, iteration: int, host: str = "hostB") -> RunWriter:
    with on(host):
        return RunWriter.resume(past, iteration, compact=False)


def append(writer: RunWriter, who: int, iterations: range) -> None:
    for iteration in iterations:
        writer.append_record(record_of(who, iteration))


def by(who: int, iterations: range) -> list[tuple[int, int]]:
    return [(iteration, who) for iteration in iterations]


def fold_on(path: Path, host: str, *, finish: bool) -> None:
    """Compact from a host."""
    with on(host):
        fold(path, finish=finish)


@pytest.mark.parametrize("finish", [False, True])
def test_what_was_appended_between_the_look_and_the_take_over_is_superseded(a: RunWriter, finish: bool) -> None:
    past = look(a.path)
    append(a, A, range(60, 100))
    b = take_over(past, 20)
    append(b, B, range(20, 53))
    assert content(a.path) == by(A, range(20)) + by(B, range(20, 53))
    with pytest.raises(RunExistsError, match="records it now; nothing more is added here"):
        append(a, A, range(100, 101))
    b.close()
    if finish:
        fold_on(a.path, "hostB", finish=True)
    assert content(a.path) == by(A, range(20)) + by(B, range(20, 53))
    assert check_run(a.path).is_fine
    assert RunFile.read(a.path).closed is RunStatus.DONE


def test_what_came_before_the_checkpoint_is_counted_after_the_take_over(a: RunWriter) -> None:
    """B's checkpoint is newer than all that B had seen of the run."""
    past = look(a.path)
    append(a, A, range(60, 100))
    b = take_over(past, 90)
    append(b, B, range(90, 95))
    assert content(a.path) == by(A, range(90)) + by(B, range(90, 95))
    b.close()


@pytest.mark.parametrize("starts", ["in an open file", "with a new file"])
def test_an_old_writer_that_does_not_see_it_yet_changes_nothing(a: RunWriter, starts: str) -> None:
    """Its host shows it run.json as it was for a minute: it appends, makes files, and notes gaps."""
    if starts == "with a new file":
        append(a, A, range(60, 64))
    blind = view_of(a)
    b = take_over(look(a.path), 20)
    append(b, B, range(20, 30))
    with seeing(blind):
        append(a, A, range(64, 164))
    append(b, B, range(30, 53))
    assert content(a.path) == by(A, range(20)) + by(B, range(20, 53))
    fold_on(a.path, "hostA", finish=False)
    fold_on(a.path, "hostB", finish=False)
    assert content(a.path) == by(A, range(20)) + by(B, range(20, 53))
    b.close()
    fold_on(a.path, "hostB", finish=True)
    assert content(a.path) == by(A, range(20)) + by(B, range(20, 53))
    assert list((a.path / "journal").iterdir()) == []


def test_an_old_writer_that_writes_over_run_json_is_undone(a: RunWriter) -> None:
    """It closes the run, by what it still sees: the join of the new writer is gone, and the run looks ended."""
    blind = view_of(a)
    b = take_over(look(a.path), 20)
    append(b, B, range(20, 30))
    with seeing(blind):
        a.close()
    assert RunFile.read(a.path).closed is RunStatus.DONE
    fold_on(a.path, "hostA", finish=True)  # its compactor must not take the run for ended: turn 2 was claimed
    append(b, B, range(30, 53))
    assert content(a.path) == by(A, range(20)) + by(B, range(20, 53))
    b.close()
    found = RunFile.read(a.path)
    assert (found.turn, found.writer.host, len(found.joins)) == (2, "hostB", 1)
    with pytest.raises(RunExistsError):
        a._owner.require()


def test_a_resumed_writer_that_was_replaced_before_it_appended(a: RunWriter) -> None:
    """B took over and died, as it seemed, before its first record; it wakes up when C records."""
    b = take_over(look(a.path), 30)
    blind = view_of(b)
    c = take_over(look(a.path, "hostC"), 20, "hostC")
    with seeing(blind):
        append(b, B, range(30, 40))
    append(c, C, range(20, 53))
    assert content(a.path) == by(A, range(20)) + by(C, range(20, 53))
    with pytest.raises(RunExistsError, match="on hostC records it now"):
        append(b, B, range(40, 41))
    c.close()


def test_an_old_writer_that_wakes_up_after_the_next_was_closed(a: RunWriter) -> None:
    """B took over and ended without a record, so nobody seems left; A still does not know."""
    blind = view_of(a)
    take_over(look(a.path), 30).close()
    c = take_over(look(a.path, "hostC"), 20, "hostC")
    append(c, C, range(20, 30))
    with seeing(blind):
        append(a, A, range(60, 100))
    append(c, C, range(30, 53))
    assert content(a.path) == by(A, range(20)) + by(C, range(20, 53))
    c.close()


@pytest.mark.parametrize("order", [("hostB", "hostC"), ("hostC", "hostB")])
def test_of_two_hosts_that_take_over_at_once_one_does(a: RunWriter, order: tuple[str, str]) -> None:
    past = {host: look(a.path, host) for host in order}
    first = take_over(past[order[0]], 20, order[0])
    with pytest.raises(RunExistsError, match="another process has resumed it meanwhile"):
        take_over(past[order[1]], 20, order[1])
    append(first, B, range(20, 53))
    assert content(a.path) == by(A, range(20)) + by(B, range(20, 53))
    first.close()


@pytest.mark.parametrize("stalled", ["before its claim", "before run.json"])
def test_a_take_over_that_stalls_until_its_lock_was_taken_away(
    a: RunWriter, monkeypatch: pytest.MonkeyPatch, stalled: str
) -> None:
    """B stands still for a minute in the middle; C takes the lock for left behind, and the run."""
    from dtui.store.write import resume as resuming

    past = look(a.path)
    others: list[RunWriter] = []

    def meanwhile() -> None:
        monkeypatch.undo()
        others.append(take_over(look(a.path, "hostC"), 10, "hostC"))
        append(others[0], C, range(10, 20))

    def claim(*arguments: object) -> None:
        if stalled == "before its claim":
            meanwhile()
        claim_turn(*arguments)  # type: ignore[arg-type]
        if stalled == "before run.json":
            meanwhile()

    monkeypatch.setattr(resuming, "claim_turn", claim)
    with pytest.raises(RunExistsError):
        take_over(past, 30)
    (c,) = others
    append(c, C, range(20, 53))
    assert content(a.path) == by(A, range(10)) + by(C, range(10, 53))
    c.close()
    assert RunFile.read(a.path).writer.host == "hostC"


def test_a_claim_of_a_living_process_is_not_taken_over(a: RunWriter) -> None:
    """It has claimed the run, and not yet written run.json, which still names a dead process."""
    die(a)
    claim_turn(a.path, a._owner.run_file.run, 2, 60)
    with pytest.raises(RunExistsError, match="this very process is recording it"):
        find_past(a.path)


def test_a_writer_that_is_known_to_be_dead_leaves_no_hole(tmp_path: Path) -> None:
    """On one host nobody can wake up: ordinals go on, and all becomes one part."""
    writer = RunWriter(tmp_path / "run", STRUCTURE, METADATA, compact=False)
    append(writer, A, range(40))
    die(writer)
    past = find_past(writer.path)
    assert past is not None
    b = RunWriter.resume(past, 40, compact=False)
    append(b, B, range(40, 60))
    b.close()
    fold_on(b.path, "", finish=True)
    assert [path.name for path in (b.path / "parts").iterdir()] == ["records-0000000000-0000000060.h5"]
    assert RunFile.read(b.path).turn == 2


def test_the_old_writer_gives_no_sign_of_life_for_the_new_one(a: RunWriter) -> None:
    b = take_over(look(a.path), 20)
    before = (a.path / "heartbeat").stat().st_mtime_ns
    a._heartbeat_at = float("-inf")
    with pytest.raises(RunExistsError):
        a.heartbeat()
    assert (a.path / "heartbeat").stat().st_mtime_ns == before
    b.close()


def test_the_old_writer_notes_nothing_and_sets_no_images(a: RunWriter) -> None:
    b = take_over(look(a.path), 20)
    append(b, B, range(20, 30))
    a.append_gap(Gap(60, 61, "records", "of the old writer"))
    with pytest.raises(RunExistsError):
        a.set_images(IMAGES)
    reader = RunReader(a.path)
    assert (reader.gaps, reader.images) == ((), None)
    reader.close()
    b.close()


def test_images_that_were_set_meanwhile_are_taken_as_they_are(a: RunWriter) -> None:
    past = look(a.path)
    a.set_images(IMAGES)
    b = take_over(past, 20)
    b.set_images(replace(IMAGES, thumbnails=()))
    b.append_validation(validation_of(1, 20))
    with pytest.raises(ValueError, match="the images are set already"):
        b.set_images(replace(IMAGES, ids=tuple(f"other {n}" for n in range(6))))
    b.close()
    reader = RunReader(a.path)
    assert len(reader.validation_iterations) == 1
    reader.close()


def test_a_journal_that_another_host_removed_costs_no_record(a: RunWriter) -> None:
    """Its frames are in a part; the next one goes into a new file."""
    RunFile.read(a.path)
    a._owner.write(closed=RunStatus.DONE, counts={})  # as an old writer's run.json would say for a moment
    assert fold(a.path, finish=True)
    assert list((a.path / "journal").iterdir()) == []
    a._owner.write(closed=None, counts=None)
    append(a, A, range(60, 80))
    assert content(a.path) == by(A, range(80))


def test_a_packed_run_numbers_its_frames_without_the_hole(a: RunWriter, tmp_path: Path) -> None:
    b = take_over(look(a.path), 20)
    append(b, B, range(20, 53))
    b.close()
    pack_run(a.path, tmp_path / "one.h5")
    assert content(tmp_path / "one.h5") == by(A, range(20)) + by(B, range(20, 53))


# --- claims


def test_a_turn_is_claimed_once(a: RunWriter) -> None:
    assert (highest_turn(a.path), last_claim(a.path, "x")) == (1, None)
    claim_turn(a.path, "x", 2, 10)
    with pytest.raises(RunExistsError):
        claim_turn(a.path, "x", 2, 10)
    assert last_claim(a.path, "x") == turns.Claim(2, Process.this(), 10)
    assert check_run(a.path).is_fine
    assert {file.state for file in check_run(a.path).files} == {FileState.FINE}


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"{}", b'{"run": 1}', b"[" * 5000, b'{"check": "00000000"}', b"\xff" * 9000]
)
def test_a_claim_from_outside_is_only_a_number(a: RunWriter, content: bytes) -> None:
    (a.path / "turn-0000000007.json").write_bytes(content)
    for name in ("turn-7.json", "turn-00000000x7.json", "turn-0000000008.json.tmp-1-a", "turn-0000000009.jsonl"):
        (a.path / name).write_bytes(b"")
    assert last_claim(a.path, "x") == turns.Claim(7, None, 0)
    b = take_over(look(a.path), 60)
    assert RunFile.read(a.path).turn == 8
    b.close()


def test_a_run_that_was_taken_over_too_often_is_refused(a: RunWriter) -> None:
    (a.path / "turn-9999999999.json").write_bytes(b"")
    with pytest.raises(RunExistsError, match="was resumed too often; record into another run"):
        take_over(look(a.path), 60)


def test_a_filesystem_without_links_has_turns(a: RunWriter, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr("dtui.store.disk.atomic_files.os.link", refuse)
    claim_turn(a.path, "x", 2, 10)
    with pytest.raises(RunExistsError):
        claim_turn(a.path, "x", 2, 10)
    assert last_claim(a.path, "x") == turns.Claim(2, Process.this(), 10)


# --- who may begin


def test_a_folder_that_a_process_has_just_claimed_is_refused(tmp_path: Path) -> None:
    """There is only its run.json yet; the network is not known."""
    run = RunFile(1, "x", Process.this())
    run.write(tmp_path)
    with pytest.raises(RunExistsError, match="this very process is recording it"):
        refuse_recorded(tmp_path)
    replace(run, closed=RunStatus.DONE).write(tmp_path)
    refuse_recorded(tmp_path)
    replace(run, writer=Process(1, "elsewhere", "boot", 1)).write(tmp_path)
    with on("hostB"):
        refuse_recorded(tmp_path)
    claim_turn(tmp_path, "x", 2, 0)
    with pytest.raises(RunExistsError, match="this very process is recording it"):
        refuse_recorded(tmp_path)


def test_a_take_over_that_died_in_its_middle_does_not_keep_a_run_from_being_folded(
    recording: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It had claimed its turn, and not yet written run.json."""
    recording.append(3)
    recording.writer.close()
    claim_turn(recording.path, RunFile.read(recording.path).run, 2, 0)
    monkeypatch.setattr("dtui.store.run.run_file.Process.is_alive", lambda _: True)
    recording.compact(finish=True)
    assert list((recording.path / "journal").iterdir())
    monkeypatch.setattr("dtui.store.run.run_file.Process.is_alive", lambda _: False)
    recording.compact(finish=True)
    assert not list((recording.path / "journal").iterdir())
