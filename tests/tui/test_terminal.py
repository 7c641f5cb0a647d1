"""What a terminal can show, from its environment."""

from __future__ import annotations

import logging
import os
import re
import shutil
import subprocess
import sys
import warnings
from importlib import metadata
from pathlib import Path

import pytest

from dtui.errors import TerminalError, UsageError
from dtui.tui import run_tui
from dtui.tui.terminal import driver
from dtui.tui.terminal.capabilities import (
    check_terminal,
    find_mode,
    log_path,
    needs_ascii,
    quiet_terminal,
    require_terminal,
)
from dtui.tui.terminal.input_events import KNOWN_VERSIONS
from dtui.tui.terminal.releases import version
from dtui.tui.terminal.textual_patch import PATCHED_VERSIONS
from dtui.tui.terminal.tty import is_plain, resetting, setting

SAMPLE = Path(__file__).parents[2] / "sample_runs" / "mnist-faults.dtui"


@pytest.mark.parametrize(
    ("color", "environment", "expected"),
    [
        ("auto", {"COLORTERM": "truecolor", "TERM": "xterm-256color"}, "truecolor"),
        ("auto", {"COLORTERM": "24bit", "TERM": "xterm"}, "truecolor"),
        ("auto", {"TERM": "xterm-kitty"}, "truecolor"),
        ("auto", {"TERM": "xterm-256color"}, "256"),
        ("auto", {"TERM": "linux"}, "16"),
        ("auto", {"TERM": "vt220"}, "none"),
        ("auto", {"TERM": "xterm-256color", "NO_COLOR": "1", "COLORTERM": "truecolor"}, "none"),
        ("auto", {"TERM": "xterm-256color", "NO_COLOR": ""}, "256"),
        ("truecolor", {"TERM": "xterm", "NO_COLOR": "1"}, "truecolor"),
        ("never", {"COLORTERM": "truecolor"}, "none"),
        ("auto", {"TERM": "screen.xterm-256color", "STY": "1.a", "COLORTERM": "truecolor"}, "256"),
        ("auto", {"TERM": "tmux-256color", "STY": "1.a", "COLORTERM": "truecolor"}, "truecolor"),
        ("truecolor", {"TERM": "screen", "STY": "1.a"}, "truecolor"),
    ],
)
def test_colours(color, environment, expected):
    assert find_mode(color, environment) == expected


def test_an_unknown_colour_lists_the_known():
    with pytest.raises(UsageError, match="truecolor, 256, 16, never"):
        find_mode("pink", {})


@pytest.mark.parametrize(
    ("environment", "encoding", "expected"),
    [
        ({"LANG": "en_GB.UTF-8"}, "utf-8", False),
        ({"LC_ALL": "C.UTF-8"}, "UTF8", False),
        ({}, "utf-8", False),
        ({"LC_ALL": "C", "LANG": "en_GB.UTF-8"}, "utf-8", True),
        ({"LANG": "de_DE.ISO-8859-1"}, "iso-8859-1", True),
        ({}, None, True),
    ],
)
def test_ascii(environment, encoding, expected):
    assert needs_ascii(environment, encoding) is expected


@pytest.mark.parametrize("term", ["dumb", "", "unknown"])
def test_dumb_terminals_are_pointed_to_the_report(term):
    with pytest.raises(TerminalError, match="dtui report"):
        check_terminal({"TERM": term}, True)


def test_no_terminal_at_all(tmp_path):
    with pytest.raises(TerminalError, match="dtui report"):
        check_terminal({"TERM": "xterm"}, False)
    with pytest.raises(UsageError, match="dark, light"):
        run_tui(tmp_path, theme="pink")


def test_what_others_print_goes_to_the_log(tmp_path, capfd):
    log = tmp_path / "tui.log"
    stderr, handlers = sys.__stderr__, list(logging.getLogger().handlers)
    with quiet_terminal(log):
        os.write(2, b"HDF5-DIAG: error\n")
        logging.getLogger("tables").warning("a library warns")
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.warn("from Python", stacklevel=1)
        sys.__stderr__.write("to the screen")
    assert sys.__stderr__ is stderr
    assert logging.getLogger().handlers == handlers
    written = log.read_text()
    for words in ("HDF5-DIAG", "a library warns", "from Python"):
        assert words in written
    assert capfd.readouterr().err == "to the screen"


def test_the_log_has_a_place(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert log_path() == tmp_path / "dtui" / "tui.log"
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(blocked))
    assert log_path().parent.name.startswith("dtui-")
    for name in ("XDG_STATE_HOME", "HOME"):  # as of a user of a container, whom no list of users has
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("os.path.expanduser", lambda path: path)
    monkeypatch.chdir(tmp_path)
    assert log_path().parent.name.startswith("dtui-")
    assert not (tmp_path / "~").exists()


def test_on_a_full_disk_the_screen_opens_without_a_log(monkeypatch, tmp_path):
    """Where no folder takes a file, Python finds none for temporary files."""

    def no_room():
        raise FileNotFoundError("No usable temporary directory found")

    monkeypatch.setattr("tempfile.gettempdir", no_room)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert log_path() == tmp_path / "dtui" / "tui.log"
    monkeypatch.setenv("XDG_STATE_HOME", os.devnull)
    assert log_path() == Path(os.devnull)


def test_a_browser_is_served_by_textuals_own_driver_in_all_colours(monkeypatch):
    served = {"TEXTUAL_DRIVER": "textual.drivers.web_driver:WebDriver"}
    assert find_mode("auto", served) == "truecolor"
    assert find_mode("auto", {**served, "NO_COLOR": "1"}) == "none"
    assert find_mode("auto", {"TEXTUAL_DRIVER": "another"}) == "16"
    with pytest.raises(TerminalError):
        require_terminal()  # a test has none
    monkeypatch.setenv("TEXTUAL_DRIVER", served["TEXTUAL_DRIVER"])
    require_terminal()
    assert driver.driver_class() is None


def test_the_driver_is_for_the_releases_of_textual_it_was_tried_with(monkeypatch):
    assert driver.driver_class() is driver.TerminalDriver, "try it with this release, then add it to KNOWN_VERSIONS"
    monkeypatch.setattr(driver, "version", lambda _: "9.0.0")
    assert driver.driver_class() is None


@pytest.mark.parametrize(
    ("term", "expected"), [("linux", True), ("vt220", True), ("xterm-256color", False), ("screen", False)]
)
def test_a_terminal_that_may_show_newer_protocols_as_text_is_not_asked(term, expected):
    assert is_plain({"TERM": term}) is expected


@pytest.mark.parametrize("kitty", [True, False])
def test_every_mode_that_is_set_is_reset(kitty):
    begun, ended = setting(mouse=True, kitty=kitty), resetting(mouse=True, kitty=kitty)
    modes = re.findall(r"\x1b\[\?(\d+)h", begun)
    assert modes
    assert all(f"\x1b[?{mode}l" in ended for mode in modes)
    assert all(f"\x1b[?{mode}h" in ended for mode in re.findall(r"\x1b\[\?(\d+)l", begun))
    assert (">25u" in begun, "[<u" in ended) == (kitty, kitty)
    assert "100" not in setting(mouse=False, kitty=kitty), "no mouse, and no word on the focus: a repaint each time"


def test_the_oldest_textual_that_may_be_installed_was_tried() -> None:
    """With any other a step of the crosshair writes whole lines, and no screen of the last time is shown."""
    project = (Path(__file__).parents[2] / "pyproject.toml").read_text()
    (oldest,) = re.findall(r'"textual>=([\d.]+)', project)
    assert oldest in KNOWN_VERSIONS & PATCHED_VERSIONS


FIRST_PAINT = """
import gc, sys
from pathlib import Path
import dtui.cli.entry
import dtui.tui.start as start
from dtui.tui import run_tui
from dtui.tui.app import DtuiApp

start.require_terminal = lambda: None
heavy = (
    "numpy", "tables", "dtui.query", "dtui.model", "dtui.tui.panes", "dtui.tui.state", "dtui.tui.screens",
    "dtui.cli.parser", "importlib.metadata", "email", "zipfile", "tomllib", "secrets",
)
def note(*_, **__):
    found.extend([*[name for name in heavy if name in sys.modules], gc.isenabled(), sys.getswitchinterval()])

DtuiApp.run, found = note, []
run_tui(Path("run.dtui"))
Path(sys.argv[1]).write_text(repr([*found, gc.isenabled(), sys.getswitchinterval()]))
"""


def test_the_first_paint_waits_for_textual_alone(tmp_path: Path) -> None:
    """NumPy and the run are imported by the loader's thread, behind the first paint, and garbage waits.

    Threads take turns as seldom as they do in Python: each turn costs time, and a start is all work.
    """
    subprocess.run([sys.executable, "-c", FIRST_PAINT, str(tmp_path / "seen")], check=True, timeout=60)
    assert (tmp_path / "seen").read_text() == "[False, 0.005, True, 0.005]"


FIRST_SCREEN = """
import queue, sys, threading
from pathlib import Path
from dtui.tui import first_look
from dtui.tui.loader import Loader
from dtui.tui.panes.table import TABLE
from dtui.tui.state.session import Session

first_look.PATIENCE_SECONDS = 60
events = queue.Queue()
loader = Loader(Path(sys.argv[1]), events.put, begin=lambda view: Session(TABLE, view, 150, 50))
loader.start()
session = events.get(timeout=60).session
loader.settle(lambda: None)
is_kept = threading.Event()
loader._jobs.put(is_kept.set)
is_kept.wait(60)
loader.close()
loader._thread.join(60)
print(session.selection.entry is not None, *sys.modules)
"""
NOT_ON_IT = {
    *("tables", "numba", "jinja2", "altair", "torch", "numpy.ma"),
    *("dtui.query.layers.graph", "dtui.query.layers.boxes", "dtui.query.layers.kept_weights", "dtui.query.heatmap"),
    *("dtui.query.relations.gallery", "dtui.query.relations.correlation", "dtui.query.incidents.verdict"),
    *("dtui.analysis.relations.minisets", "dtui.store.write", "dtui.store.compact"),
    *("dtui.analysis.detectors.online.class_error", "dtui.analysis.incidents", "dtui.analysis.rises"),
    *("dtui.query.incidents.walk", "dtui.query.incidents.evidence", "dtui.query.incidents.batches"),
    *("secrets", "csv", "shlex", "statistics", "PIL"),
}


def test_the_first_screen_imports_only_what_answers_its_questions(tmp_path: Path) -> None:
    """Of a run that was looked at before: what was found then is kept in it."""
    run = shutil.copytree(SAMPLE, tmp_path / "run.dtui", ignore=shutil.ignore_patterns("findings.h5"))
    is_filled, *imported = shown_first(run)
    assert is_filled == "True"
    assert "tables" in imported, "it is kept, however small the run is"
    is_filled, *imported = shown_first(run)
    assert is_filled == "True"
    assert not NOT_ON_IT & set(imported)


def shown_first(run: Path) -> list[str]:
    """Whether the first screen of a run is filled, and the modules imported by the time that there is nothing to do."""
    made = subprocess.run([sys.executable, "-c", FIRST_SCREEN, str(run)], check=True, timeout=60, capture_output=True)
    return made.stdout.decode().split()


def test_the_version_of_a_package_is_what_its_installer_wrote(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert version("textual") == metadata.version("textual")
    for name in ("odd", "odd-1.0.dist-info", "odd-2.0.dist-info"):
        (tmp_path / name).mkdir()
    (tmp_path / "odd" / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(metadata, "version", lambda name: f"{name} as told")
    assert version("odd") == "odd as told", "two folders: only importlib.metadata knows which"
    (tmp_path / "odd-1.0.dist-info").rmdir()
    assert version("odd") == "2.0"
