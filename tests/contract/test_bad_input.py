"""Every kind of wrong input: one clear line, the right exit code, never a traceback."""

from __future__ import annotations

import json
import os
import pty
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import pytest

from dtui.cli import main
from dtui.store.disk.json_lines import check_of
from dtui.store.format.contents import FORMAT_VERSION
from dtui.store.format.schema import PARTS_FOLDER, RUN_FILE, STRUCTURE_FILE

RUN = "broken.dtui"
Finished = subprocess.CompletedProcess[str]


def no_such_path(folder: Path, _: Path) -> None:
    """Leave the path empty."""


def an_empty_directory(folder: Path, _: Path) -> None:
    (folder / RUN).mkdir()


def a_plain_file(folder: Path, _: Path) -> None:
    (folder / RUN).write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))


def a_newer_format(folder: Path, run: Path) -> None:
    shutil.copytree(run, folder / RUN)
    path = folder / RUN / RUN_FILE
    values = json.loads(path.read_text()) | {"format": FORMAT_VERSION + 1}
    del values["check"]
    path.write_text(json.dumps({**values, "check": check_of(values)}))


def a_damaged_structure(folder: Path, run: Path) -> None:
    shutil.copytree(run, folder / RUN)
    path = folder / RUN / STRUCTURE_FILE
    path.write_bytes(path.read_bytes()[:1000])


def no_structure(folder: Path, run: Path) -> None:
    shutil.copytree(run, folder / RUN)
    (folder / RUN / STRUCTURE_FILE).unlink()


def no_permission(folder: Path, run: Path) -> None:
    shutil.copytree(run, folder / RUN)
    (folder / RUN).chmod(0)


UNREADABLE: list[tuple[Callable[[Path, Path], None], str]] = [
    (no_such_path, "no such"),
    (an_empty_directory, "no run|not a run|empty"),
    (a_plain_file, "not a run|no run|not a directory|no directory"),
    (a_newer_format, rf"format {FORMAT_VERSION + 1}.*upgrade"),
    (a_damaged_structure, STRUCTURE_FILE),
    (no_structure, STRUCTURE_FILE),
    (no_permission, "[Pp]ermission"),
]

COMMANDS = (
    ["info", RUN],
    ["info", RUN, "--json"],
    ["anomalies", RUN, "--json", "--fail-on", "1"],
    ["correlation", RUN, "--json"],
    ["filters", RUN, "--at", "10"],
    ["images", RUN, "--list", "hard"],
    ["confusion", RUN, "--at", "10", "--json"],
    ["check", RUN],
    ["compact", RUN],
    ["report", RUN, "-o", "out.html"],
)


def plain_user() -> list[str]:
    """Return a prefix under which permissions count, also for root."""
    if os.geteuid() != 0:
        return []
    prefix = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-dac_override,-dac_read_search"]
    if shutil.which("setpriv") and subprocess.run([*prefix, "true"], check=False, capture_output=True).returncode == 0:
        return prefix
    pytest.skip("root here cannot give up its permission to read everything")


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    if (tmp_path / RUN).is_dir():
        (tmp_path / RUN).chmod(0o755)


class Dtui(Protocol):
    """Runs dtui in a folder, off any terminal: in this process, or under a prefix in one of its own."""

    def __call__(self, words: list[str], folder: Path, prefix: list[str] | None = None) -> Finished: ...


@pytest.fixture
def dtui(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Dtui:
    def run(words: list[str], folder: Path, prefix: list[str] | None = None) -> Finished:
        monkeypatch.chdir(folder)
        if prefix is not None:
            command = [*prefix, sys.executable, "-m", "dtui", *words]
            return subprocess.run(
                command, capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL, check=False
            )
        capfd.readouterr()
        code = main(words)
        return Finished(words, code, *capfd.readouterr())

    return run


def assert_one_line(result: Finished, code: int, says: str) -> None:
    assert "Traceback" not in result.stderr + result.stdout
    assert re.fullmatch(r"dtui: .+\n", result.stderr), result.stderr
    assert re.search(says, result.stderr), result.stderr
    assert result.stdout == ""
    assert result.returncode == code


@pytest.mark.parametrize(("make", "says"), UNREADABLE, ids=lambda value: getattr(value, "__name__", ""))
def test_a_run_that_cannot_be_read_is_one_line_and_exit_code_3(
    dtui: Dtui, make: Callable[[Path, Path], None], says: str, folder: Path, small_run: Path
) -> None:
    prefix = plain_user() if make is no_permission else None
    make(folder, small_run)
    for words in COMMANDS:
        result = dtui(words, folder, prefix)
        if words[0] == "check" and make in (a_damaged_structure, no_structure):
            assert (result.returncode, result.stderr) == (1, "")  # a verdict: not fine, with the file and what it cost
            assert re.search(says, result.stdout)
        else:
            assert_one_line(result, 3, says)
            assert RUN in result.stderr
    assert not (folder / "out.html").exists()


def damage_largest_part(run: Path, damage: Callable[[bytes], bytes]) -> str:
    """Change the largest part of a run and return its name."""
    part = max((run / PARTS_FOLDER).iterdir(), key=lambda path: path.stat().st_size)
    part.write_bytes(damage(part.read_bytes()))
    return part.name


def test_a_part_cut_off_leaves_the_rest_readable_and_is_told(dtui: Dtui, folder: Path, small_run: Path) -> None:
    shutil.copytree(small_run, folder / RUN)
    name = damage_largest_part(folder / RUN, lambda data: data[: len(data) // 2])
    info = dtui(["info", RUN, "--json"], folder)
    assert (info.returncode, info.stderr) == (0, "")
    assert any(name in finding for finding in json.loads(info.stdout)["findings"])
    for words, code in (
        (["info", RUN], 0),
        (["anomalies", RUN], 0),
        (["check", RUN], 1),
        (["check", RUN, "--json"], 1),
    ):
        result = dtui(words, folder)
        assert (result.returncode, result.stderr) == (code, "")
        assert name in result.stdout or words[0] == "anomalies"


def test_check_finds_a_single_flipped_bit(dtui: Dtui, folder: Path, small_run: Path) -> None:
    shutil.copytree(small_run, folder / RUN)
    assert dtui(["check", RUN], folder).returncode == 0
    name = damage_largest_part(
        folder / RUN,
        lambda data: data[: len(data) // 2] + bytes([data[len(data) // 2] ^ 1]) + data[len(data) // 2 + 1 :],
    )
    check = dtui(["check", RUN, "--json"], folder)
    assert (check.returncode, check.stderr) == (1, "")
    answer = json.loads(check.stdout)
    assert answer["fine"] is False
    assert [file["path"] for file in answer["files"] if file["state"] == "damaged"] == [f"{PARTS_FOLDER}/{name}"]


def test_an_unreadable_run_is_listed_with_its_reason(dtui: Dtui, folder: Path, small_run: Path) -> None:
    a_newer_format(folder, small_run)
    shutil.copytree(small_run, folder / "fine.dtui")
    result = dtui(["runs", ".", "--json"], folder)
    assert (result.returncode, result.stderr) == (0, "")
    errors = {Path(row["path"]).name: row["error"] for row in json.loads(result.stdout)}
    assert errors["fine.dtui"] is None
    assert "upgrade" in errors[RUN]
    assert "unreadable" in dtui(["runs", "."], folder).stdout


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["runs", "nowhere"], 3, "nowhere: no such folder"),
        (["runs", "."], 0, "no run in this folder"),
        (["."], 3, "no run in this folder"),
        ([], 3, "runs: "),
        (["demo", "there.dtui"], 2, "a run is already there"),
    ],
)
def test_folders_without_runs(dtui: Dtui, words: list[str], code: int, says: str, tmp_path: Path) -> None:
    (tmp_path / ("there.dtui" if words[:1] == ["demo"] else "other")).mkdir()
    assert_one_line(dtui(words, tmp_path), code, says)


def test_an_unknown_class_lists_the_classes(dtui: Dtui, small_run: Path) -> None:
    result = dtui(["anomalies", str(small_run), "--class", "no-such-class"], small_run.parent)
    assert_one_line(result, 2, "no class 'no-such-class'; its classes are .+")


def test_a_report_that_cannot_be_written_is_one_line(dtui: Dtui, small_run: Path, tmp_path: Path) -> None:
    result = dtui(["report", str(small_run), "-o", "/dev/null/out.html"], tmp_path)
    assert_one_line(result, 2, "/dev/null/out.html")


def test_synth_does_not_write_over_a_run(dtui: Dtui, small_run: Path) -> None:
    result = dtui(["synth", str(small_run), "--preset", "small", "--records", "2"], small_run.parent)
    assert_one_line(result, 2, "already")


def test_a_path_is_no_mistyped_command(dtui: Dtui, tmp_path: Path) -> None:
    result = dtui(["runs/live"], tmp_path)
    assert "runs/live" in result.stderr
    assert "did you mean" not in result.stderr


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("out.doc", r"out\.doc: the name ends in \.doc; .*write out\.html"),
        ("out", r"out: the name has no ending; .*write out\.html, or say which with --format"),
        ("missing/out.html", "make its folder first: there is no .*missing"),
        ("", "the name of the file to write is empty"),
        ("a\x1b[31m.html/b.html", "make its folder first"),
    ],
)
def test_a_report_tells_what_is_wrong_with_the_name_of_its_file(
    name: str, line: str, dtui: Dtui, small_run: Path, tmp_path: Path
) -> None:
    assert_one_line(dtui(["report", str(small_run), "-o", name], tmp_path), 2, line)
    assert not list(tmp_path.iterdir())


def test_without_a_terminal_the_viewer_points_to_the_report(dtui: Dtui, small_run: Path) -> None:
    assert_one_line(dtui([str(small_run)], small_run.parent, prefix=[]), 2, "terminal.*dtui report")


def test_a_dumb_terminal_is_refused_with_a_pointer_to_the_report(small_run: Path) -> None:
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "dumb"}
    command = [sys.executable, "-m", "dtui", str(small_run)]
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment)
    os.close(theirs)
    shown = b""
    try:
        while piece := os.read(ours, 4096):
            shown += piece
    except OSError:  # the other side is closed
        pass
    os.close(ours)
    assert process.wait(60) == 2
    assert re.fullmatch(rb"dtui: .*TERM.*dtui report.*\r\n", shown), shown


def test_without_a_terminal_the_demo_trains_nothing(dtui: Dtui, tmp_path: Path) -> None:
    assert_one_line(dtui(["demo", "shown"], tmp_path, prefix=[]), 2, "terminal.*dtui report")
    assert not (tmp_path / "shown.dtui").exists()
