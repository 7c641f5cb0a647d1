"""What a person does before the run is open, and a run in which nothing is recorded yet."""

from __future__ import annotations

from pathlib import Path

import pytest

from dtui.store import RunWriter
from dtui.store.write.claim import take_claim
from dtui.tui.last_screen import Sight, find_last
from dtui.tui.renderables.canvas.theme import DARK
from tests.store.builders import METADATA, STRUCTURE, make_record
from tests.tui.test_last_screen import Seen, cache, dtui, is_open, seen, seen_before, text_of, waiting
from tests.tui.test_same_screen import HEIGHT, WIDTH, painted_whole
from tests.unit.renderables.terminal_grid import TerminalGrid

__all__ = ["cache", "seen", "seen_before"]
WAITS = "nothing recorded yet; it opens with the first record"


def test_a_name_that_is_typed_on_the_last_screen_holds_a_q(seen: Seen) -> None:
    with dtui(seen.run) as terminal:
        terminal.until("to review")
        terminal.send("2/qconv\x7f")
        terminal.until("/qcon")


def test_a_click_on_the_last_screen_chooses_what_it_points_at(seen: Seen) -> None:
    last = find_last(Sight(seen.run, WIDTH, HEIGHT, DARK, "truecolor", False, False))
    assert last is not None
    rows = text_of(TerminalGrid(WIDTH, HEIGHT).feed(last.text)).splitlines()
    y = next(y for y, row in enumerate(rows) if "new" in row and "750" in row)
    chosen = next(y for y, row in enumerate(rows) if row.startswith("▌ "))
    assert y != chosen
    with dtui(seen.run) as terminal:
        terminal.until("to review")
        terminal.send(f"\x1b[<0;20;{y + 1}M\x1b[<0;20;{y + 1}m")
        is_open(terminal)
        rows = text_of(painted_whole(terminal)).splitlines()
        assert rows[y].startswith("▌ "), "the row that was clicked"
        assert not rows[chosen].startswith("▌ ")


def test_a_run_that_is_named_without_its_ending_is_shown_as_it_was(seen: Seen, tmp_path: Path) -> None:
    with waiting(seen.run.with_suffix(""), tmp_path) as terminal:
        terminal.until("to review")
        (tmp_path / "goes on").touch()
        is_open(terminal)
        assert painted_whole(terminal).looks() == seen.before


# --- a training that has just begun


@pytest.fixture
def claimed(tmp_path: Path) -> Path:
    return tmp_path / "new.dtui"


def test_the_first_record_is_waited_for(claimed: Path) -> None:
    claim = take_claim(claimed)
    assert claim is not None
    with dtui(claimed) as terminal:
        terminal.until(WAITS)
        terminal.until_quiet()  # the rest of the frame
        read = len(terminal.written)
        while terminal._read(1.5):
            pass
        assert terminal.written[read:] == b"", "nothing is written while it waits"
        with RunWriter(claimed, STRUCTURE, METADATA, compact=False, claim=claim) as run:
            run.append_record(make_record(0, every=1))
            terminal.until("live")


def test_who_waits_may_leave(claimed: Path) -> None:
    claim = take_claim(claimed)
    assert claim is not None
    with dtui(claimed) as terminal:
        terminal.until(WAITS)
        terminal.send("q")
        assert terminal.wait() == 0
    claim.give_up()


def test_a_training_that_fails_before_its_first_record_is_not_waited_for(claimed: Path) -> None:
    claim = take_claim(claimed)
    assert claim is not None
    with dtui(claimed) as terminal:
        terminal.until(WAITS)
        claim.give_up()
        assert terminal.wait() == 3
        assert b"no such file or directory" in terminal.written
