"""How the command line ends: exit codes, one line for every failure, streams that close early."""

from __future__ import annotations

import argparse
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from dtui import errors
from dtui.cli import main, reading
from dtui.cli.on_screen.opening import PLACE
from dtui.cli.outcome import Exit, Outcome


def with_info(monkeypatch: pytest.MonkeyPatch, act: Callable[[], Outcome]) -> None:
    """Let `dtui info` do `act`."""

    def run_info(options: argparse.Namespace) -> Outcome:
        return act()

    monkeypatch.setattr(reading, "run_info", run_info)


def failing(error: BaseException) -> Callable[[], Outcome]:
    def act() -> Outcome:
        raise error

    return act


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.UsageError("x"), 2),
        (errors.NotRecordedError("x"), 2),
        (errors.MissingExtraError("x"), 2),
        (errors.TerminalError("x"), 2),
        (errors.RunExistsError("x"), 2),
        (errors.RecorderError("x"), 2),
        (errors.ReportError("x"), 2),
        (errors.PackError("x"), 2),
        (errors.OutputError("x"), 2),
        (errors.RunNotFoundError("x"), 3),
        (errors.RunNotBegunError("x"), 3),
        (errors.RunFormatError("x"), 3),
        (errors.RunDamagedError("x"), 3),
        (errors.RunRemovedError("x"), 3),
        (errors.RunReplacedError("x"), 3),
        (KeyboardInterrupt(), 130),
        (PermissionError(13, "Permission denied", "/x"), 2),
    ],
)
def test_each_failure_has_its_exit_code(
    error: BaseException, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with_info(monkeypatch, failing(error))
    assert main(["info", "x"]) == code
    output = capsys.readouterr()
    assert output.out == ""
    assert re.fullmatch(r"dtui: .+\n", output.err)


def test_every_error_of_dtui_is_in_the_table_above() -> None:
    children = {name for name, value in vars(errors).items() if isinstance(value, type) and name.endswith("Error")}
    assert children - {"DtuiError"} <= set(re.findall(r"errors\.(\w+)\(", Path(__file__).read_text()))


def test_a_hostile_name_in_an_error_stays_on_one_harmless_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with_info(monkeypatch, failing(errors.UsageError("no class '\x1b]2;owned\x07\nroot#\u202e'; look")))
    assert main(["info", "x"]) == 2
    shown = capsys.readouterr().err
    assert shown.count("\n") == 1
    assert not set(shown) & set("\x1b\x07\u202e")


def test_a_bug_is_one_line_and_its_traceback_a_file(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    with_info(monkeypatch, failing(ZeroDivisionError("division by zero")))
    assert main(["info", "x"]) == 2
    shown = capsys.readouterr().err
    (kept,) = (tmp_path / "dtui").iterdir()
    expected = (
        f"dtui: unexpected ZeroDivisionError: division by zero; this is a bug in dtui, its traceback is in {kept}\n"
    )
    assert shown == expected
    assert "Traceback (most recent call last)" in kept.read_text()


def test_a_working_folder_that_was_removed_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert main(["run", "--", "true"]) == 2
    assert capsys.readouterr().err == "dtui: the folder that dtui was started in is no longer there; cd to another\n"


def test_a_bug_of_who_has_no_home_leaves_no_folder_behind(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """A folder named ~, which a shell takes for the home, is one that nobody should have to remove."""
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.setattr("os.path.expanduser", lambda path: path)
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path / "temporary"))
    monkeypatch.chdir(tmp_path)
    with_info(monkeypatch, failing(ZeroDivisionError()))
    assert main(["info", "x"]) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["temporary"]
    assert str(tmp_path / "temporary") in capsys.readouterr().err


@pytest.mark.parametrize("temporary", [lambda: os.devnull, failing(FileNotFoundError("No usable temporary directory"))])
def test_a_bug_where_nothing_can_be_written_is_still_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], temporary: Callable[[], object]
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", os.devnull)
    monkeypatch.setattr("tempfile.gettempdir", temporary)
    with_info(monkeypatch, failing(ZeroDivisionError()))
    assert main(["info", "x"]) == 2
    assert capsys.readouterr().err.endswith("its traceback could not be written anywhere\n")


def test_a_remark_goes_to_standard_error_with_the_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with_info(monkeypatch, lambda: Outcome("table", Exit.NOT_FINE, "two files damaged"))
    assert main(["info", "x"]) == 1
    assert capsys.readouterr() == ("table\n", "dtui: two files damaged\n")


LONG = "from dtui.cli import entry, reading; from dtui.cli.outcome import Outcome; import sys\n"
LONG += "reading.run_info = lambda options: Outcome('line\\n' * 100_000, {code})\nsys.exit(entry.main(['info', 'x']))"


@pytest.mark.parametrize("code", [0, 1])
def test_a_reader_that_stops_reading_does_not_change_the_verdict(code: int) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", LONG.format(code=code)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.readline() == "line\n"
    process.stdout.close()
    assert process.stderr.read() == ""
    assert process.wait(60) == code


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_behind_standard_output_is_one_line() -> None:
    with open("/dev/full", "w") as full:
        result = subprocess.run(
            [sys.executable, "-c", LONG.format(code=0)], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert (result.returncode, result.stderr) == (2, "dtui: standard output: No space left on device\n")


OPENS = "import os; from dtui.cli import entry, reading; from dtui.cli.outcome import Outcome\n"
OPENS += (
    "reading.run_info = lambda _: Outcome(code=os.open(os.curdir, os.O_RDONLY))\nos._exit(entry.main(['info', 'x']))"
)


def test_no_file_of_a_command_gets_the_number_of_a_closed_stream() -> None:
    """All that C code prints would fall into it."""
    command = shlex.join([sys.executable, "-c", OPENS])
    assert subprocess.run(["sh", "-c", f"{command} <&- >&- 2>&-"], check=False).returncode > 2


@pytest.mark.parametrize(("words", "code"), [("runs . --json", 0), ("info nowhere", 3)])
def test_closed_streams_change_neither_verdict_nor_the_other_stream(words: str, code: int, tmp_path: Path) -> None:
    command = f"{shlex.quote(sys.executable)} -m dtui {words}"
    for closed in (">&-", "2>&-", ">&- 2>&-"):
        result = subprocess.run(
            ["sh", "-c", f"{command} {closed}"], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert result.returncode == code
        assert "Traceback" not in result.stderr
        assert result.stdout in ("", "[]\n")


def test_python_m_dtui_is_the_same_command() -> None:
    result = subprocess.run([sys.executable, "-m", "dtui", "--version"], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout, result.stderr) == (0, "dtui 0.1.0\n", "")


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--bogus"], "--bogus: no such option; see dtui --help"),
        (["inof"], "inof: no such run and no such command; did you mean dtui info?"),
        (["inof", "run"], "inof: no such run and no such command; did you mean dtui info?"),
        (["info"], "the following arguments are required: RUN; see dtui info --help"),
        (
            ["anomalies", "x", "--threshold", "120%"],
            "argument --threshold: '120%' is neither a share (20% or 0.2) nor a number of images (5); "
            "see dtui anomalies --help",
        ),
        (
            ["anomalies", "x", "--fail-on", "0"],
            "argument --fail-on: '0' is not a whole number of at least 1; see dtui anomalies --help",
        ),
    ],
)
def test_bad_usage_is_one_line_that_says_what_to_do(
    words: list[str], line: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(words) == 2
    assert capsys.readouterr() == ("", f"dtui: {line}\n")


def test_a_run_that_has_the_name_of_a_command_can_be_opened(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    opened: list[tuple[Path, dict[str, object]]] = []
    monkeypatch.setattr("dtui.tui.run_tui", lambda path, **options: opened.append((path, options)))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "info.dtui").mkdir()
    assert main(["./info", "--ascii", "--theme", "light", "--no-mouse"]) == 0
    ((path, options),) = opened
    assert path.name == "info"
    assert options == {
        "color": "auto",
        "ascii": True,
        "theme": "light",
        "mouse": False,
        "slow_link": False,
        "places": (),
        "bell": False,
        "place": dict.fromkeys(PLACE),
    }


@pytest.mark.parametrize(
    ("word", "imported"),
    [("--version", "dtui.cli.entry"), ("--version", "dtui.cli.command"), ("info", "dtui.cli.parser")],
)
def test_an_interrupt_while_dtui_is_imported_is_one_line(word: str, imported: str) -> None:
    """Half of a short command is imports: whoever presses Ctrl-C at once sees no traceback."""
    program = (
        "import sys\n"
        "from importlib.abc import MetaPathFinder\n"
        "class Interrupted(MetaPathFinder):\n"
        "    def find_spec(self, name, path, target=None):\n"
        f"        if name == '{imported}': raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Interrupted())\n"
        "from dtui.cli import main\n"
        f"sys.exit(main(['{word}']))\n"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout, result.stderr) == (130, "", "dtui: interrupted\n")


def test_packing_a_run_that_cannot_be_read_says_so(small_run: Path, tmp_path: Path) -> None:
    """As every other command does: 3, and not 2, which says that the file could not be made."""
    broken = shutil.copytree(small_run, tmp_path / "broken.dtui")
    (broken / "structure.h5").write_bytes((small_run / "structure.h5").read_bytes()[:100])
    assert main(["pack", str(broken), str(tmp_path / "p.h5")]) == Exit.UNREADABLE
    assert not (tmp_path / "p.h5").exists()
