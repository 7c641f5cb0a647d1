"""The first screen of the last time: on the terminal at once, harmless, never that of another run, look or state."""

from __future__ import annotations

import os
import shutil
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from dtui.tui.last_screen import LARGEST, MOST_KEPT, Sight, find_last, keep_last
from dtui.tui.renderables.canvas.cells import Cells
from dtui.tui.renderables.canvas.output import Output
from dtui.tui.renderables.canvas.theme import DARK, LIGHT, Theme
from dtui.tui.renderables.canvas.writing import Placed, write_cells
from tests.tui.conftest import SAMPLES
from tests.tui.terminal import Terminal
from tests.tui.test_same_screen import HEIGHT, WIDTH, painted_whole
from tests.unit.renderables.terminal_grid import TerminalGrid

WORDS = "class 4 wurde 9 · 画像"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "dtui" / "screens"


@pytest.fixture
def sight(tmp_path: Path) -> Sight:
    run = tmp_path / "a.dtui"
    (run / "parts").mkdir(parents=True)
    (run / "run.json").write_text("{}")
    return Sight(run, 40, 5, DARK, "truecolor", False, False)


def screen(words: str = WORDS, width: int = 40) -> Cells:
    cells = Cells(width, 5, DARK)
    cells.text(3, 2, words, fg=0x123456, bold=True)
    return cells


def test_a_screen_is_written_as_it_was(sight: Sight) -> None:
    keep_last(sight, screen(), Output())
    last = find_last(sight)
    assert last is not None
    assert WORDS in text_of(TerminalGrid(40, 5).feed(last.text))
    whole = [Placed(0, y, screen().row(y)) for y in range(5)]
    assert write_cells(whole, Output(), last.shown()) == ""
    whole = [Placed(0, y, screen("class 5").row(y)) for y in range(5)]
    assert "5" in write_cells(whole, Output(), last.shown())


@pytest.mark.parametrize(
    "other",
    [
        {"columns": 41},
        {"rows": 6},
        {"theme": LIGHT},
        {"mode": "256"},
        {"is_ascii": True},
        {"is_slow": True},
    ],
    ids=str,
)
def test_another_look_has_a_screen_of_its_own(sight: Sight, other: dict[str, object]) -> None:
    keep_last(sight, screen(), Output())
    assert find_last(sight._replace(**other)) is None
    assert find_last(sight) is not None


def removed(run: Path) -> None:
    (run / "run.json").unlink()


def decided(run: Path) -> None:
    (run / "triage.jsonl").write_text("a decision\n")


def touched(run: Path) -> None:
    os.utime(run / "run.json", ns=(1, 1))


def folded(run: Path) -> None:
    (run / "parts" / "records-0-32.h5").write_bytes(b"x")


def moved(run: Path) -> None:
    run.rename(run.with_name("b.dtui"))


def replaced(run: Path) -> None:
    shutil.copytree(run, run.with_name("copy"), copy_function=shutil.copy2)
    shutil.rmtree(run)
    run.with_name("copy").rename(run)


@pytest.mark.parametrize("change", [removed, decided, touched, folded, moved, replaced])
def test_a_run_that_has_changed_is_not_shown_as_it_was(sight: Sight, change: Callable[[Path], None]) -> None:
    keep_last(sight, screen(), Output())
    change(sight.run)
    assert find_last(sight) is None


def test_the_cache_in_the_run_may_come_and_go(sight: Sight) -> None:
    keep_last(sight, screen(), Output())
    (sight.run / "findings.h5").write_bytes(b"x")
    assert find_last(sight) is not None


def test_another_dtui_shows_its_own(sight: Sight, monkeypatch: pytest.MonkeyPatch) -> None:
    keep_last(sight, screen(), Output())
    monkeypatch.setattr("dtui.tui.last_screen.__version__", "99")
    assert find_last(sight) is None


def packed(sight: Sight, text: str, cells: bytes = bytes(14 * 40 * 5)) -> bytes:
    return zlib.compress(b"\0".join((sight.key().encode(), text.encode(), cells)))


STRANGE: dict[str, Callable[[Sight], bytes]] = {
    "nothing": lambda sight: b"",
    "noise": lambda sight: os.urandom(100),
    "cut": lambda sight: packed(sight, "x")[:-1],
    "too few cells": lambda sight: packed(sight, "x", b"x"),
    "a title": lambda sight: packed(sight, "x\x1b]0;owned\x07"),
    "a key": lambda sight: packed(sight, "x\n"),
    "C1": lambda sight: packed(sight, "x\x9b31m"),
    "a mode": lambda sight: packed(sight, "\x1b[?1049l"),
    "a bomb": lambda sight: packed(sight, "x" * LARGEST),
    "no text": lambda sight: zlib.compress(b"x"),
    "not UTF-8": lambda sight: zlib.compress(b"\0".join((sight.key().encode(), b"\xff", bytes(14 * 40 * 5)))),
}


def test_what_is_harmless_is_shown(sight: Sight) -> None:
    keep_last(sight, screen(), Output())
    (file,) = file_of(sight).parent.iterdir()
    file.write_bytes(packed(sight, "\x1b[2;3H\x1b[1;38;2;0;0;0mx"))
    assert find_last(sight) is not None


def file_of(sight: Sight) -> Path:
    file = sight.file()
    assert file is not None
    return file


@pytest.mark.parametrize("what", STRANGE)
def test_a_file_that_holds_something_else_is_not_shown(sight: Sight, what: str) -> None:
    keep_last(sight, screen(), Output())
    file_of(sight).write_bytes(STRANGE[what](sight))
    assert find_last(sight) is None


def test_a_pipe_in_its_place_is_not_waited_for(sight: Sight) -> None:
    file_of(sight).parent.mkdir(parents=True)
    os.mkfifo(file_of(sight))
    assert find_last(sight) is None


def test_where_nothing_can_be_kept_there_is_nothing(
    sight: Sight, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    keep_last(sight, screen(), Output())
    assert find_last(sight) is None


def test_letters_with_marks_mean_something_to_one_process_alone(sight: Sight, cache: Path) -> None:
    keep_last(sight, screen("ạ̈"), Output())
    assert not cache.exists()


def test_a_screen_of_another_size_is_not_kept(sight: Sight, cache: Path) -> None:
    keep_last(sight, screen(width=41), Output())
    assert not cache.exists()


def test_so_many_are_kept_and_the_oldest_go(sight: Sight, cache: Path) -> None:
    for columns in range(10, 15 + MOST_KEPT):
        keep_last(sight._replace(columns=columns), screen(width=columns), Output())
        os.utime(file_of(sight._replace(columns=columns)), (columns, columns))
    assert len(list(cache.iterdir())) == MOST_KEPT
    assert find_last(sight._replace(columns=10)) is None
    assert find_last(sight._replace(columns=14 + MOST_KEPT)) is not None


def test_what_somebody_else_put_there_stays_and_hinders_nothing(sight: Sight, cache: Path) -> None:
    cache.mkdir(parents=True)
    for place in range(40):
        (cache / f"notes-{place}").write_text("mine")
        (cache / f"{place}.screen").mkdir()
        os.utime(cache / f"notes-{place}", (2**32, 2**32))
        os.utime(cache / f"{place}.screen", (place, place))
    for columns in range(10, 15 + MOST_KEPT):
        keep_last(sight._replace(columns=columns), screen(width=columns), Output())
        os.utime(file_of(sight._replace(columns=columns)), (1000 + columns, 1000 + columns))
    assert len(list(cache.glob("notes-*"))) == 40
    assert len([path for path in cache.glob("*.screen") if path.is_file()]) <= MOST_KEPT
    assert find_last(sight._replace(columns=14 + MOST_KEPT)) is not None


# --- in a terminal


def dtui(run: Path, *options: str) -> Terminal:
    return Terminal([sys.executable, "-m", "dtui", str(run), *options], WIDTH, HEIGHT)


def text_of(grid: TerminalGrid) -> str:
    return "\n".join("".join(cell[0] for cell in row) for row in grid.rows)


class Seen(NamedTuple):
    """A run that was opened once, in truecolor."""

    run: Path
    before: list[object]


def opened(run: Path, cache: Path, *options: str) -> Seen:
    """Open a run until its screen is kept, and have it painted whole."""
    with dtui(run, *options) as terminal:
        terminal.until("to review")
        end = time.monotonic() + 60
        while not cache.exists() and time.monotonic() < end:
            terminal._read(0.2)
        return Seen(run, painted_whole(terminal).looks())


@pytest.fixture(scope="module")
def seen_before(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Seen, Path]]:
    home = tmp_path_factory.mktemp("seen")
    run = home / "mnist-faults.dtui"
    shutil.copytree(SAMPLES / run.name, run)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(home))
        yield opened(run, home / "dtui" / "screens"), home


@pytest.fixture
def seen(seen_before: tuple[Seen, Path], cache: Path, monkeypatch: pytest.MonkeyPatch) -> Seen:
    """A run whose first screen is kept."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(seen_before[1]))
    return seen_before[0]


def is_open(terminal: Terminal) -> None:
    """Wait until keys act."""
    terminal.send("?")
    terminal.until("Esc closes")
    terminal.press("\x1b")


MODES = {"truecolor": "truecolor", "never": "none"}


WAITING = """
import sys, time
from pathlib import Path
from dtui.tui import opening

begins, goes_on, read = Path(sys.argv[1]), Path(sys.argv[2]), opening.open_query

def wait(path):
    begins.write_text("with NumPy" if "numpy" in sys.modules else "without")
    while not goes_on.exists():
        time.sleep(0.01)
    return read(path)

opening.open_query = wait
from dtui.cli import main
main(sys.argv[3:])
"""


def waiting(run: Path, folder: Path, *options: str) -> Terminal:
    """Start a dtui whose disk gives nothing of the run until there is a file "goes on" in a folder."""
    files = (str(folder / "begins"), str(folder / "goes on"))
    return Terminal([sys.executable, "-c", WAITING, *files, str(run), *options], WIDTH, HEIGHT)


@pytest.mark.parametrize("mode", MODES)
def test_the_screen_of_the_last_time_stands_before_the_run_is_read_and_stays(
    request: pytest.FixtureRequest, cache: Path, tmp_path: Path, mode: str
) -> None:
    if mode == "truecolor":
        run, before = request.getfixturevalue("seen")
    else:
        run, before = opened(request.getfixturevalue("sample_run"), cache, "--color", mode)
    last = find_last(Sight(run, WIDTH, HEIGHT, DARK, MODES[mode], False, False))
    assert last is not None
    with waiting(run, tmp_path, "--color", mode) as terminal:
        terminal.until("to review")
        terminal.until_quiet()
        assert last.text in terminal.written.decode()
        assert (tmp_path / "begins").read_text() == "without"
        (tmp_path / "goes on").touch()
        is_open(terminal)
        grid = TerminalGrid(WIDTH, HEIGHT).feed(last.text)
        assert grid.looks() == before == painted_whole(terminal).looks()


def test_nothing_is_written_again_when_the_run_is_open(seen: Seen) -> None:
    with dtui(seen.run) as terminal:
        terminal.until("to review")
        terminal.until_quiet()
        read = len(terminal.written)
        while terminal._read(2.0):
            pass
        assert terminal.written[read:] == b""


def test_keys_that_are_pressed_on_it_act_in_their_order(seen: Seen) -> None:
    with dtui(seen.run) as terminal:
        terminal.until("to review")
        terminal.send("2/conv2\r")
        terminal.until("conv2.*1 match|/conv2")
        terminal.until_quiet()
        assert "/conv2" in text_of(painted_whole(terminal))


def test_who_leaves_at_once_leaves(seen: Seen) -> None:
    with dtui(seen.run) as terminal:
        terminal.until("to review")
        terminal.send("q")
        assert terminal.wait() == 0


def test_a_terminal_that_is_resized_meanwhile_shows_the_run(seen: Seen) -> None:
    with dtui(seen.run) as terminal:
        terminal.until("to review")
        terminal.resize(WIDTH - 1, HEIGHT)
        is_open(terminal)
        assert painted_whole(terminal).looks() == seen.before


def test_what_is_written_over_it_meanwhile_is_written_over_again(sample_run: Path, cache: Path, tmp_path: Path) -> None:
    """The terminal tells its ground: the frame is painted in its colours, here none, so nothing else differs."""
    _, before = opened(sample_run, cache, "--color", "never")
    with waiting(sample_run, tmp_path, "--color", "never", "--theme", "auto") as terminal:
        terminal.until("to review")
        terminal.send("\x1b]11;rgb:ffff/ffff/ffff\x1b\\")
        terminal.until("opening")
        terminal.until_quiet()
        read = len(terminal.written)
        (tmp_path / "goes on").touch()
        terminal.until("to review")
        terminal.until_quiet()
        assert TerminalGrid(WIDTH, HEIGHT).feed(terminal.written[read:].decode()).looks() == before


@pytest.mark.parametrize("themes", [(LIGHT,), (DARK, LIGHT)], ids=["light", "both"])
@pytest.mark.parametrize("first", ["", "dark"], ids=["told at once", "told late"])
def test_the_screen_of_the_ground_that_the_terminal_tells_is_shown(
    sample_run: Path, tmp_path: Path, themes: tuple[Theme, ...], first: str
) -> None:
    for theme in themes:
        cells = Cells(WIDTH, HEIGHT, theme)
        cells.text(3, 2, f"kept {theme.name}", theme.text)
        keep_last(Sight(sample_run, WIDTH, HEIGHT, theme, "truecolor", False, False), cells, Output())
    with waiting(sample_run, tmp_path, "--theme", "auto") as terminal:
        if first:
            terminal.until("kept dark" if DARK in themes else "opening")
            while terminal._read(0.5):
                pass
        terminal.send("\x1b]11;rgb:ffff/ffff/ffff\x1b\\")
        terminal.until("kept light")
        terminal.until_quiet()
        written = terminal.written.decode()
        assert written.rindex("kept light") > written.rindex("opening")
        assert ("kept dark" in written) == (first == "dark" and DARK in themes)


def test_a_place_of_its_own_is_not_kept(sample_run: Path, cache: Path) -> None:
    with dtui(sample_run, "--at", "430") as terminal:
        terminal.until("to review")
        while terminal._read(1.5):
            pass
    assert not cache.exists()


def test_a_screen_that_somebody_has_acted_on_is_not_kept(sample_run: Path, cache: Path) -> None:
    with dtui(sample_run) as terminal:
        terminal.send("2")
        terminal.until("Layers")
        while terminal._read(1.5):
            pass
    assert not cache.exists()


def test_a_live_run_is_not_kept(growing_run: object, cache: Path) -> None:
    growing_run.grow(3)  # type: ignore[attr-defined]
    with dtui(growing_run.path) as terminal:  # type: ignore[attr-defined]
        terminal.until("live")
        while terminal._read(1.5):
            pass
    assert not cache.exists()
