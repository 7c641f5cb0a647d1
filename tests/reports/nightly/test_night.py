"""A night over ten runs, as its user sees it: the page, the files, the exit code, what is kept, what is refused."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from dtui.cli import main
from dtui.errors import OutputError
from dtui.query import open_run
from dtui.query.folders import Lease, LeaseHeldError
from dtui.reports.nightly.entry import Outcome
from dtui.reports.nightly.index import Index
from dtui.reports.nightly.making import _details
from dtui.reports.nightly.night import NightSettings, run_night
from dtui.reports.nightly.plan import Unit
from dtui.reports.nightly.worker import answer
from dtui.reports.output.convert import ChartConverter
from dtui.reports.rendering import Renderer
from tests.reports.nightly.runs import Training, damage, here, make_run, tree
from tests.store.resuming import die

TEXT = NightSettings(format="text", jobs=1)
HOSTILE = "<script>alert(1)</script> \x1b[31m"


def night(folder: Path, out: Path, **settings: object) -> Index:
    return run_night(folder, out, NightSettings(format="text", jobs=1, **settings), engine=here)


def outcomes(index: Index) -> dict[str, str]:
    return {row.run.removesuffix(".dtui"): str(row.outcome) for row in index.rows}


def test_a_training_that_died_before_its_first_record_is_to_be_looked_at(tmp_path: Path):
    """A cron job reads only the exit code and the letter."""
    runs, out = tmp_path / "runs", tmp_path / "night"
    (runs / "dead.dtui").mkdir(parents=True)
    (runs / "dead.dtui" / "resume.lock").write_text("", encoding="ascii")
    (runs / "new.dtui").mkdir()
    for _ in range(2):  # the second night says it again
        assert main(["nightly", str(runs), "-o", str(out), "--quiet"]) == 1
        found = json.loads((out / "index.json").read_text(encoding="ascii"))
        assert found["counts"] == {"look": 1, "empty": 1}
        assert found["runs"][0]["reason"].startswith("the training ended before its first record")
    assert "The training ended before its first record" in (out / "index.html").read_text(encoding="utf-8")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two runs that have ended, one of them with trouble."""
    runs = tmp_path / "runs"
    make_run(runs / "calm")
    make_run(runs / "troubled", troubled=True)
    return runs


def test_ten_runs_one_damaged_one_live_one_empty(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    for name in ("b/calm", "c", HOSTILE.replace("/", "|"), "e", "f"):
        shutil.copytree(folder / "calm.dtui", folder / f"{name}.dtui")
    shutil.copytree(folder / "troubled.dtui", folder / "damaged.dtui")
    damage(folder / "damaged.dtui")
    (folder / "empty.dtui").mkdir()
    live = Training(folder / "live")
    live.grow(2)
    out = tmp_path / "night"
    try:
        code = main(["nightly", str(folder), "-o", str(out), "--format", "text", "--json", "--jobs", "2"])
    finally:
        live.close()
    found = json.loads(capsys.readouterr().out)
    assert (code, found["exit"]) == (2, 2)
    assert found["counts"] == {"look": 1, "failed": 1, "unsure": 7, "empty": 1}
    by_name = {row["run"]: row for row in found["runs"]}
    assert len(by_name) == 10
    assert [row["run"] for row in found["runs"][:2]] == ["troubled.dtui", "damaged.dtui"]
    assert by_name["live.dtui"]["status"] == "live"
    assert by_name["damaged.dtui"]["reason"].startswith("structure.h5: ")
    assert str(folder) not in by_name["damaged.dtui"]["reason"]
    assert by_name["empty.dtui"]["reason"] == "nothing has been recorded yet"
    reports = [out / row["report"].replace("%7E", "~") for row in found["runs"] if row["report"]]
    assert len(reports) == 8
    assert all(report.is_file() and report.stat().st_size for report in reports)
    page = (out / "index.html").read_text()
    assert "<script" not in page
    assert "\x1b" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_only_runs_that_changed_are_reported_again(folder: Path, tmp_path: Path):
    out = tmp_path / "night"
    first = night(folder, out)
    assert outcomes(first) == {"troubled": "look", "calm": "unsure"}
    assert all(row.is_new for row in first.rows)
    before = {row.run: row.report for row in first.rows}
    with open_run(folder / "troubled.dtui") as query:
        query.decide(query.incidents()[0].id, "flagged", "mine")
    second = night(folder, out)
    assert {row.run: row.is_new for row in second.rows} == {"calm.dtui": False, "troubled.dtui": True}
    after = {row.run: row.report for row in second.rows}
    assert after["calm.dtui"] == before["calm.dtui"]
    assert after["troubled.dtui"] != before["troubled.dtui"]
    assert second.rows[0].older == (before["troubled.dtui"],)
    assert not any(row.is_new for row in night(folder, out).rows)


def test_a_live_run_that_ends_without_a_trace_is_looked_at_again(tmp_path: Path):
    live = Training(tmp_path / "runs" / "live")
    live.grow(3)
    first = night(tmp_path / "runs", tmp_path / "night")
    again = night(tmp_path / "runs", tmp_path / "night")
    assert first.rows[0].report == again.rows[0].report  # still live, and nothing new
    die(live.writer)
    ended = night(tmp_path / "runs", tmp_path / "night")
    assert ended.rows[0].entry.status == "crashed"
    assert (outcomes(ended), ended.exit_code) == ({"live": "look"}, 1)


def test_the_newest_reports_are_kept_and_the_newest_has_a_fixed_name(folder: Path, tmp_path: Path):
    out, runs = tmp_path / "night", [0]
    for turn in range(4):
        (folder / "calm.dtui" / "triage.jsonl").write_text("{}\n" * turn)
        index = night(folder, out, keep=2)
        kept = [path for path in (out / "runs" / "calm").iterdir() if path.is_dir()]
        runs.append(len(kept))
    assert runs == [0, 1, 2, 2, 2]
    row = next(row for row in index.rows if row.run == "calm.dtui")
    assert len(row.older) == 1
    assert (out / "runs" / "calm" / "report.txt").samefile(out / row.report)


def test_a_report_that_lacks_pictures_is_made_again_the_next_night_until_it_has_them(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))  # what draws here is no bundle for others
    out, html = tmp_path / "night", NightSettings(jobs=1, keep=1)
    dies = [sys.executable, "-c", "import sys; sys.stdin.readline()"]
    draws = [sys.executable, "-c", 'while input(): print(\'{"result": "<svg id=\\\\"vegaEmbed\\\\"/>"}\', flush=True)']

    def nightly(program: list[str]) -> tuple[list[str], Index]:
        asked = []

        def engine(units: Sequence[Unit]) -> Iterator[tuple[Unit, str]]:
            with Renderer(lambda _: None) as renderer:
                renderer._converter = ChartConverter(command=tuple(program))
                for unit in units:
                    asked.append(unit.run)
                    yield unit, answer(unit, renderer)
                renderer._converter.close()

        index = run_night(folder, out, html, engine=engine)
        return asked, index

    nightly(draws)
    with open_run(folder / "troubled.dtui") as query:
        query.decide(query.incidents()[0].id, "flagged", "mine")
    for _ in range(2):
        asked, index = nightly(dies)
        row = next(row for row in index.rows if row.run == "troubled.dtui")
        assert (asked, row.entry.undrawn > 0) == (["troubled.dtui"], True)
        assert "of this report could not be drawn; the next night tries again" in (out / "index.html").read_text()
        assert "flagged" in " ".join(row.entry.since)
    report = out / row.report
    lacking = report.read_bytes()
    asked, index = nightly(draws)
    mended = next(row for row in index.rows if row.run == "troubled.dtui")
    assert (asked, mended.entry.undrawn, mended.report) == (["troubled.dtui"], 0, row.report)
    assert mended.entry.since == row.entry.since, "compared with the same report as before"
    assert report.read_bytes() != lacking
    assert "could not be drawn" not in (out / "index.html").read_text()
    assert nightly(draws)[0] == []


def test_a_state_that_an_older_dtui_wrote_is_read(folder: Path, tmp_path: Path):
    out = tmp_path / "night"
    night(folder, out)
    for path in (*out.rglob("record.json"), *out.rglob("entry.json")):
        known = json.loads(path.read_text())
        known.pop("lacks_pictures", None)
        known.pop("undrawn", None)
        path.write_text(json.dumps(known))
    before = tree(out / "runs")
    night(folder, out)
    assert tree(out / "runs") == before


def test_the_report_of_a_run_that_is_gone_stays(folder: Path, tmp_path: Path):
    out = tmp_path / "night"
    night(folder, out)
    shutil.rmtree(folder / "calm.dtui")
    index = night(folder, out)
    assert [row.run for row in index.gone] == ["calm.dtui"]
    assert (out / index.gone[0].report).is_file()
    assert "No longer there" in (out / "index.html").read_text()


def test_a_run_that_gets_damaged_keeps_its_last_report(folder: Path, tmp_path: Path):
    out = tmp_path / "night"
    last = {row.run: row.report for row in night(folder, out).rows}
    damage(folder / "calm.dtui")
    index = night(folder, out)
    row = next(row for row in index.rows if row.run == "calm.dtui")
    assert (row.outcome, row.report, row.is_new) == (Outcome.FAILED, last["calm.dtui"], False)
    assert index.exit_code == 2


def test_the_same_runs_give_the_same_bytes(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    night(folder, tmp_path / "first")
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    monkeypatch.chdir(tmp_path)
    night(Path("runs"), Path("second"))
    assert tree(tmp_path / "first") == tree(tmp_path / "second")


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"version": 99}', b'{"version": 1}', b"\xff", b'{"version": 1, "run": "calm.dtui"}']
)
def test_a_record_that_is_none_is_made_anew(folder: Path, tmp_path: Path, content: bytes):
    out = tmp_path / "night"
    night(folder, out)
    (out / "runs" / "calm" / "record.json").write_bytes(content)
    assert outcomes(night(folder, out)) == {"troubled": "look", "calm": "unsure"}


def test_names_in_a_record_do_not_lead_out_of_the_night(folder: Path, tmp_path: Path):
    out = tmp_path / "night"
    night(folder, out)
    path = out / "runs" / "calm" / "record.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"generations": ["../../../runs"]}))
    before = tree(folder)
    assert outcomes(night(folder, out))["calm"] == "unsure"
    assert tree(folder) == before


# --- where it may write
def test_the_folder_of_another_night_is_refused(folder: Path, tmp_path: Path):
    night(folder, tmp_path / "night")
    (tmp_path / "others").mkdir()
    with pytest.raises(OutputError, match="holds the nights of"):
        night(tmp_path / "others", tmp_path / "night")


@pytest.mark.parametrize("content", [b"{", b'{"version": 2}'])
def test_a_folder_of_a_newer_dtui_is_refused(folder: Path, tmp_path: Path, content: bytes):
    night(folder, tmp_path / "night")
    (tmp_path / "night" / "night.json").write_bytes(content)
    with pytest.raises(OutputError, match="newer dtui"):
        night(folder, tmp_path / "night")


def test_a_folder_with_other_files_is_left_alone(folder: Path, tmp_path: Path):
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "index.html").write_text("mine")
    with pytest.raises(OutputError, match="other files"):
        night(folder, tmp_path / "site")
    assert tree(tmp_path / "site") == {"index.html": b"mine"}


@pytest.mark.parametrize("place", ["fixed", "file", "/proc/night"])
def test_a_folder_that_cannot_be_written_to_is_refused(folder: Path, tmp_path: Path, place: str):
    (tmp_path / "fixed").mkdir(mode=0o500)
    (tmp_path / "file").write_text("mine")
    if place == "fixed" and os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    with pytest.raises(OutputError, match="cannot be"):
        night(folder, tmp_path / place)
    assert (tmp_path / "file").read_text() == "mine"


def test_two_nights_at_once_exclude_each_other(folder: Path, tmp_path: Path):
    out = tmp_path / "night"
    night(folder, out)
    before = tree(out)
    with Lease(out, "night.lease"), pytest.raises(LeaseHeldError, match="is at work there"):
        night(folder, out)
    assert tree(out) == before


def test_a_night_whose_lease_was_taken_over_writes_no_index(folder: Path, tmp_path: Path):
    out = tmp_path / "night"

    def robbed(units):
        for unit, reason in here(units):
            (out / "night.lease").unlink(missing_ok=True)
            yield unit, reason

    with pytest.raises(LeaseHeldError, match="took over"):
        run_night(folder, out, TEXT, engine=robbed)
    assert not (out / "index.html").exists()


def test_the_lease_of_a_dead_process_is_taken_over(folder: Path, tmp_path: Path):
    out = tmp_path / "night"
    night(folder, out)
    lease = Lease(out, "night.lease")
    with lease:
        held = json.loads((out / "night.lease").read_text())
    (out / "night.lease").write_text(json.dumps(held | {"started": held["started"] - 1}))  # its number was given again
    assert lease.holder() == ""
    night(folder, out)
    assert not (out / "night.lease").exists()


def test_a_lease_of_another_host_is_taken_over_when_nobody_touches_it(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    out = tmp_path / "night"
    night(folder, out)
    with Lease(out, "night.lease"):
        held = json.loads((out / "night.lease").read_text())
    monkeypatch.setattr("dtui.store.run.lock.WATCHED_SECONDS", 0.5)
    path = out / "night.lease"
    path.write_text(json.dumps(held | {"host": "elsewhere"}))
    is_over = threading.Event()

    def touch() -> None:
        while not is_over.wait(0.02):
            os.utime(path)

    toucher = threading.Thread(target=touch)
    toucher.start()
    try:
        with pytest.raises(LeaseHeldError, match="on elsewhere is at work there"):
            night(folder, out)
    finally:
        is_over.set()
        toucher.join()
    night(folder, out)
    assert not path.exists()


# --- what happens meanwhile
def test_a_run_that_goes_away_while_it_is_read_stops_nothing(folder: Path, tmp_path: Path):
    def vanishing(units):
        shutil.rmtree(folder / "calm.dtui")
        yield from here(units)

    index = run_night(folder, tmp_path / "night", TEXT, engine=vanishing)
    assert outcomes(index) == {"troubled": "look", "calm": "failed"}
    assert index.rows[1].reason == "it was removed or renamed before it could be read"


def test_a_damaged_state_is_told_and_a_first_report_is_made(tmp_path: Path):
    training = Training(tmp_path / "runs" / "a")
    training.grow(2)
    out = tmp_path / "night"
    first = night(tmp_path / "runs", out)
    (state,) = (out / first.rows[0].report).parent.glob(".report.txt*")
    state.write_bytes(state.read_bytes()[:50])
    training.grow(2)
    training.close()
    entry = night(tmp_path / "runs", out).rows[0].entry
    assert entry.since_title == "First report of this run"
    assert "compares with nothing" in " ".join(entry.problems)


def test_a_second_report_says_what_changed(tmp_path: Path):
    training = Training(tmp_path / "runs" / "a")
    training.grow(2)
    out = tmp_path / "night"
    night(tmp_path / "runs", out)
    training.grow(2)
    training.close()
    entry = night(tmp_path / "runs", out).rows[0].entry
    assert entry.since_title == "Since the last report, at iteration 10"
    assert entry.since[:2] == ("+2 records, +2 validations", "live → done")
    assert "+2 records, +2 validations" in (out / "index.html").read_text()


def test_a_full_disk_is_one_line_and_leaves_the_old_index(folder: Path, tmp_path: Path):
    out = tmp_path / "night"
    night(folder, out)
    (folder / "calm.dtui" / "triage.jsonl").write_text("{}\n")
    before = tree(out)
    small = "import resource, sys, dtui.cli; resource.setrlimit(resource.RLIMIT_FSIZE, (600, 600)); "
    words = ["nightly", str(folder), "-o", str(out), "--format", "text"]
    command = [sys.executable, "-c", f"{small}sys.exit(dtui.cli.main(sys.argv[1:]))", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert "index.html: cannot be written (File too large)" in done.stderr
    after = tree(out)
    assert {name: after[name] for name in ("index.html", "index.json")} == {
        name: before[name] for name in ("index.html", "index.json")
    }
    assert set(after) == set(before)


def test_a_report_that_does_not_fit_on_the_disk_has_the_same_reason_everywhere(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """No path of a temporary folder, nor of this night: the index is the same for the same runs."""

    def full():
        raise OSError(errno.ENOSPC, "No space left on device")

    def written(name: str):
        night(folder, tmp_path / name)
        return tree(tmp_path / name)

    sync = os.fsync
    monkeypatch.setattr(
        os, "fsync", lambda one: full() if ".new-" in os.readlink(f"/proc/self/fd/{one}") else sync(one)
    )
    first, second = written("first"), written("second")
    assert first == second
    reason = json.loads(first["index.json"])["runs"][0]["reason"]
    assert reason == (
        "report.txt: cannot be written (No space left on device); make room there, or choose another place"
    )


def test_a_run_whose_files_are_all_damaged_is_not_called_empty(folder: Path, tmp_path: Path):
    for journal in (folder / "calm.dtui" / "journal").iterdir():
        journal.write_bytes(b"\0" * 2000)
    for part in (folder / "calm.dtui" / "parts").glob("*.h5"):
        part.write_bytes(b"\0" * 2000)
    index = night(folder, tmp_path / "night")
    assert outcomes(index)["calm"] == "unsure"
    (row,) = (one for one in index.rows if one.run == "calm.dtui")
    assert row.entry is not None
    assert row.entry.headline == "Nothing of this run can be read: its files are damaged."
    report = next((tmp_path / "night" / "runs").glob("calm/*/report.txt")).read_text()
    assert "Nothing of this run can be read" in report
    assert "Nothing has been recorded" not in report


def test_a_row_with_incidents_says_that_others_may_be_hidden():
    with open_run(Path(__file__).parents[3] / "sample_runs" / "mnist-dying.dtui") as query:
        verdict = query.verdict()
    hidden = "Incidents may be hidden where the run is damaged (2 faults; dtui check lists them)."
    details = _details(replace(verdict, remarks=("A remark.", hidden)))
    assert details[0].startswith("At 490, ")
    assert details[1:] == (hidden,)
