"""Manners of the command line: completion, manual, configuration, progress, and silence where nobody looks."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from dtui.cli import main
from dtui.cli.command import SETTINGS
from dtui.cli.parser import COMMANDS
from dtui.cli.shell.config import read_config
from dtui.cli.shell.progress import StatusLine
from dtui.reports.sections import section_names
from dtui.safe_text import text_columns
from tests.reports.nightly.runs import make_run

PLAIN = {"theme": "auto", "color": "auto", "ascii": False, "slow_link": False, "mouse": True, "bell": False}
"""How the screen looks where nobody says otherwise."""


# --- completion
def script(shell: str, capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["completion", shell]) == 0
    return capsys.readouterr().out


def completed(source: str, words: list[str], folder: Path) -> set[str]:
    code = 'source /dev/stdin; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _shtab_dtui; printf "%s\\n" "${COMPREPLY[@]}"'
    done = subprocess.run(
        ["bash", "-c", code, "bash", *words], input=source, cwd=folder, capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    return set(done.stdout.split())


def test_bash_completes_commands_options_choices_and_paths(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "nights").mkdir()
    source = script("bash", capsys)
    assert completed(source, ["dtui", "nig"], tmp_path) == {"nightly", "nights"}
    assert {command.name for command in COMMANDS} <= completed(source, ["dtui", ""], tmp_path)
    assert completed(source, ["dtui", "nightly", "--sch"], tmp_path) == {"--scheduler"}
    assert completed(source, ["dtui", "nightly", "--print", ""], tmp_path) == {"cron", "systemd", "sbatch"}
    assert completed(source, ["dtui", "report", "ni"], tmp_path) == {"nights"}
    assert completed(source, ["dtui", "--theme", "d"], tmp_path) == {"dark"}
    words = ["dtui", "report", "nights", "-o", "out.html", "--section"]
    assert completed(source, [*words, ""], tmp_path) == set(section_names())
    assert completed(source, [*words, "layers", "--section", "cu"], tmp_path) == {"cube", "curves"}


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_shell_takes_its_script(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    source = script(shell, capsys)
    assert all(command.name in source for command in COMMANDS)
    files = {"bash": "pos_0_COMPGEN=_shtab_compgen_files", "zsh": "_commands\n  _files", "fish": "use_subcommand -F"}
    assert files[shell] in source
    if shutil.which(shell) is None:
        pytest.skip(f"no {shell} on PATH")
    done = subprocess.run([shell, "-n"], input=source, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_an_unknown_shell_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", "tcsh"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


# --- the manual page
def test_the_manual_page_has_every_command_and_option_and_no_fault(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--man"]) == 0
    page = capsys.readouterr().out
    assert page.isascii()
    plain = page.replace("\\-", "-")
    for command in COMMANDS:
        assert f".SS dtui {command.name}\n" in plain
        for action in command.parser()._actions:
            assert action.dest == "help" or all(option in plain for option in action.option_strings)
    if shutil.which("groff") is None:
        pytest.skip("no groff on PATH")
    done = subprocess.run(["groff", "-man", "-ww", "-z"], input=page, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


# --- the configuration
@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the user's configuration is."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    path = tmp_path / "dtui" / "config.toml"
    path.parent.mkdir()
    return path


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch, small_run: Path) -> list[dict[str, object]]:
    """With which settings the TUI was opened."""
    seen: list[dict[str, object]] = []
    monkeypatch.setattr("dtui.tui.run_tui", lambda path, **given: seen.append({name: given[name] for name in SETTINGS}))
    return seen


def test_defaults_are_taken_over_and_options_win(
    config: Path, opened: list[dict[str, object]], small_run: Path
) -> None:
    config.write_text('theme = "light"\ncolor = "256"\nascii = true\nslow_link = true\nmouse = false\nbell = true\n')
    assert main([str(small_run)]) == 0
    chosen = {"theme": "light", "color": "256", "ascii": True, "slow_link": True, "mouse": False, "bell": True}
    assert opened.pop() == chosen
    assert main([str(small_run), "--no-ascii", "--mouse", "--no-slow-link", "--no-bell", "--theme", "dark"]) == 0
    assert opened.pop() == PLAIN | {"color": "256", "theme": "dark"}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"theme = ", "passed over"),
        (b"\xff\xfe", "passed over"),
        (b'theme = "pink"\nascii = true', 'theme must be "auto", "dark" or "light"'),
        (b"ascii = 1", "ascii must be true or false"),
        (b"ascii = true\nthme = 3", "no setting 'thme', there are theme, color, ascii, slow_link, mouse"),
        (b"[theme]\ndark = true", 'theme must be "auto", "dark" or "light"'),
        (b"ascii = true\n#" + b"x" * 70_000, "longer than 64 KiB"),
        (b'"\\u001b[2J" = 1\nascii = true', "no setting"),
    ],
    ids=["half", "no text", "no such value", "another type", "no such name", "a table", "huge", "hostile"],
)
def test_a_bad_configuration_is_one_line_and_dtui_starts(
    config: Path,
    opened: list[dict[str, object]],
    small_run: Path,
    capsys: pytest.CaptureFixture[str],
    content: bytes,
    said: str,
) -> None:
    config.write_bytes(content)
    assert main([str(small_run)]) == 0
    shown = capsys.readouterr()
    assert said in shown.err
    assert shown.err.count("\n") == 1
    assert "\x1b" not in shown.err
    is_read_in_part = content.endswith((b"ascii = true", b"thme = 3"))
    assert opened == [PLAIN | {"ascii": is_read_in_part}]


@pytest.mark.parametrize("kind", ["folder", "pipe", "loop", "unreadable"])
def test_a_configuration_that_is_no_file_stops_nothing(config: Path, kind: str) -> None:
    if kind == "folder":
        config.mkdir()
    elif kind == "pipe":
        os.mkfifo(config)
    elif kind == "loop":
        config.symlink_to(config)
    else:
        config.write_text('theme = "light"')
        config.chmod(0)
    found = read_config(SETTINGS)
    if not (kind == "unreadable" and os.geteuid() == 0):
        assert found.values == {}
        assert found.fault.startswith(f"{config}: passed over, ")


def test_who_has_no_home_has_no_configuration_in_a_folder_of_that_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.setattr("os.path.expanduser", lambda path: path)
    monkeypatch.chdir(tmp_path)
    somebodys = tmp_path / "~" / ".config" / "dtui" / "config.toml"
    somebodys.parent.mkdir(parents=True)
    somebodys.write_text("theme = ")
    assert read_config(SETTINGS) == ({}, "")


def test_other_commands_do_not_read_it(config: Path, small_run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config.write_bytes(b"theme = ")
    assert main(["info", str(small_run)]) == 0
    assert capsys.readouterr().err == ""


# --- silence and progress
def test_a_report_is_silent_off_a_terminal(
    small_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["report", str(small_run), "-o", str(tmp_path / "r.txt")]
    assert main(words) == 0
    assert capsys.readouterr() == ("", "")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert main([*words, "--quiet"]) == 0
    assert capsys.readouterr() == ("", "")
    assert main(words) == 0
    assert "r.txt" in capsys.readouterr().out


def test_a_night_where_all_is_fine_prints_nothing_for_cron(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "runs" / "not-begun.dtui").mkdir(parents=True)
    assert main(["nightly", str(tmp_path / "runs"), "-o", str(tmp_path / "night")]) == 0
    assert capsys.readouterr() == ("", "")
    assert "Nothing recorded yet" in (tmp_path / "night" / "index.html").read_text()


def test_a_folder_without_runs_could_not_be_judged(
    small_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = tmp_path / "runs"
    words = ["nightly", str(runs), "-o", str(tmp_path / "night")]
    runs.mkdir()
    assert main(words) == 2, "cron must hear of a mistyped folder"
    assert f"{runs}: no run (NAME.dtui or NAME.h5) here or below; record one, or" in capsys.readouterr().err
    assert "no run in or below runs" in (tmp_path / "night" / "index.html").read_text()
    shutil.copytree(small_run, runs / "small.dtui")
    main(words)
    shutil.rmtree(runs / "small.dtui")
    capsys.readouterr()
    assert main([*words, "--quiet"]) == 2, "nor may runs vanish without a word"
    assert capsys.readouterr().err == (
        f"dtui: {runs}: no run (NAME.dtui or NAME.h5) here or below; 1 reported before, now gone\n"
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["a.dtui", "-o", "night"], "a.dtui: a run; give the folder that it is in, or use dtui report"),
        (["runs", "-o", "-"], "-o -: a night writes many files; give a folder"),
        (["runs", "-o", ""], "-o '': a night writes many files; give a folder"),
    ],
)
def test_places_that_no_night_can_use_are_refused(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["nightly", *words]) == 2
    assert capsys.readouterr().err == f"dtui: {said}\n"


@pytest.mark.parametrize(
    ("quiet", "term", "shown"), [(False, "xterm", True), (True, "xterm", False), (False, "dumb", False)]
)
def test_progress_is_one_line_on_a_terminal_that_is_gone_at_the_end(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, quiet: bool, term: str, shown: bool
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("TERM", term)
    monkeypatch.setenv("COLUMNS", "60")
    with StatusLine("nightly", quiet=quiet) as line:
        line.count(3, 12, "a\x1b[31m\n猫" * 30)
    said = capsys.readouterr().err
    if not shown:
        assert said == ""
        return
    assert said.startswith("\rnightly  [#####...............] 3/12  a")
    assert said.endswith("\r\x1b[K")
    assert "\n" not in said
    assert "\x1b[31m" not in said
    assert text_columns(said.split("\x1b[K")[0].strip("\r")) < 60


@pytest.mark.parametrize("size", ["2G", "800M", "800", "65536K", "2GiB", "2gb"])
def test_sizes_of_memory(size: str) -> None:
    from dtui.cli.reporting.nightly import parse_memory

    assert parse_memory(size) in (2 << 30, 800 << 20, 64 << 20)


@pytest.mark.parametrize("size", ["", "x", "1", "-1G", "1T", "1.5G", "٢G"])
def test_sizes_of_memory_that_are_none(size: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["nightly", str(tmp_path), "-o", "night", "--memory-limit", size]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_night_says_which_reports_are_new(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The mail of every morning lists what nobody dismissed: a reader must see what was not in that of yesterday."""
    make_run(tmp_path / "runs" / "a", troubled=True)
    words = ["nightly", str(tmp_path / "runs"), "-o", str(tmp_path / "night"), "--format", "text"]
    assert main(words) == 1
    first = capsys.readouterr().out.splitlines()
    assert main(words) == 1
    second = capsys.readouterr().out.splitlines()
    assert (first[0].split()[:2], first[1].split()[:3]) == (["run", "report"], ["look", "a", "new"])
    assert second[1].split()[:3] == ["look", "a", "83.3"]
