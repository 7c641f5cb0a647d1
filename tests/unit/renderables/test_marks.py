"""The legend of help says what each mark on the screens means, and no mark is defined anywhere else."""

from __future__ import annotations

import ast
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import dtui.tui
from dtui.analysis.detectors import class_rules
from dtui.model.findings import review
from dtui.tui.renderables.canvas import marks
from dtui.tui.renderables.canvas.marks import LEGEND, Mark
from dtui.tui.renderables.canvas.output import Output
from dtui.tui.renderables.canvas.sgr import fold_ascii, to_text
from dtui.tui.renderables.canvas.theme import DARK, LIGHT, Theme
from dtui.tui.renderables.panes.over.help import HelpBox
from tests.unit.renderables.builders import frame
from tests.unit.renderables.panes import PANES

ROOM = Path(dtui.tui.__file__).parent
ELSEWHERE = {ROOM / "renderables/canvas/marks.py", ROOM / "renderables/canvas/sgr.py"}
"""Where marks are defined, and where each glyph has its form in ASCII."""
SELF_EXPLAINED = set("↑↓←→⇧↳≤≥≠√∞Δ‖²³−×÷±·…–—⋯°")
"""Keys, arrows and signs of words and numbers. Those that are marks too are checked where they are drawn."""
EXPLAINED = {mark.glyph for _, group in LEGEND for mark in group}
EVERY = [mark for _, group in LEGEND for mark in group]
SIDE_BY_SIDE = ("Marks: incidents", "Marks: layers", "Marks: filters and updates", "Marks: runs")


def is_sign(glyph: str) -> bool:
    """Return whether a glyph is neither text nor part of a line, a block or a chart."""
    name = unicodedata.name(glyph, "")
    drawn = name.startswith(("BOX DRAWINGS", "BRAILLE")) or (name.endswith("BLOCK") or "SHADE" in name)
    return not glyph.isascii() and not drawn and unicodedata.category(glyph)[0] in "SP" and glyph not in SELF_EXPLAINED


def written(path: Path) -> Iterator[str]:
    """Yield every text of a module but what documents it."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    documents = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documents:
            yield node.value


def test_no_mark_is_written_but_where_all_are_defined() -> None:
    quoted = set("“”‘’")
    found = {
        (path.relative_to(ROOM).as_posix(), glyph)
        for path in ROOM.rglob("*.py")
        if path not in ELSEWHERE
        for text in written(path)
        for glyph in text
        if is_sign(glyph) and glyph not in quoted
    }
    assert not found, "take it from renderables/canvas/marks.py, which says what it means"


def test_every_mark_is_in_the_legend_once() -> None:
    defined = [value for value in vars(marks).values() if isinstance(value, Mark)]
    assert sorted(EVERY) == sorted(defined)
    for _, group in LEGEND:
        assert len({(mark.glyph, mark.colour) for mark in group}) == len(group)


@pytest.mark.parametrize("name", PANES)
def test_every_mark_that_a_pane_draws_is_in_the_legend(name: str) -> None:
    for size in ((150, 30), (80, 20)):
        cells = PANES[name](frame(*size), "conv1", np.nan if size[0] == 80 else None, 500)
        drawn = {chr(point) for point in np.unique(cells.ch)}
        assert {glyph for glyph in drawn if is_sign(glyph)} <= EXPLAINED


def test_every_sign_that_is_stored_or_computed_is_in_the_legend() -> None:
    signs = {*review._SIGNS.values(), *review._SIGN_BY_SCOPE.values(), *class_rules._SIGNS.values()}
    assert set("".join(signs)) == set(marks.OF_SIGN)


def test_each_mark_has_a_form_in_ascii_that_tells_it_from_its_neighbours() -> None:
    for heading, group in LEGEND:
        plain = {mark.glyph: chr(fold_ascii(np.array([ord(mark.glyph)], np.uint32))[0]) for mark in group}
        assert all(form not in "? " for form in plain.values()), plain
        kin = {"▾": "▼", "▴": "▲"}  # a class that got worse, and the same on its strip
        if heading in SIDE_BY_SIDE:
            alone = {glyph: form for glyph, form in plain.items() if kin.get(glyph) not in plain}
            assert len(set(alone.values())) == len(alone), alone


@pytest.mark.parametrize("theme", [DARK, LIGHT])
def test_help_shows_each_mark_in_its_colour_beside_what_it_means(theme: Theme) -> None:
    lines = [line for line in HelpBox(LEGEND, ()).lines(frame(100, 90, theme=theme)) if len(line) == 2]
    shown = [(sign.strip(), colour, words) for (sign, colour, _), (words, _, _) in lines]
    assert shown == [(mark.glyph, mark.of(theme), mark.meaning) for mark in EVERY]


def test_help_says_how_it_scrolls_where_it_is_longer_than_the_screen() -> None:
    box = HelpBox(LEGEND, ())
    assert "j k Space scroll, Esc closes" in to_text(box.draw(frame(80, 24)), Output())
    assert "scroll" not in to_text(box.draw(frame(80, 90)), Output())
