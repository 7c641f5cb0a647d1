"""Which fonts a PDF gets, and what is said about characters that none has."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from fontTools.ttLib import TTFont

from dtui.reports.output import fonts
from dtui.reports.output.fonts import FAMILIES, NO_TIME, SHIPPED, choose_fonts, write_codes

NOBODY = "\U00012000"


@pytest.fixture
def links(tmp_path: Path) -> Path:
    folder = tmp_path / "links"
    folder.mkdir()
    return folder


def test_what_the_shipped_fonts_have_asks_no_font_of_the_machine(links: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the same report is the same bytes on every machine."""
    monkeypatch.setattr(fonts, "_machine_fonts", lambda: pytest.fail("asked"))
    choice = choose_fonts("ab äß Ж Σ العربية 🐱 🦄 ▲▼✖□ – … ×", links)
    assert (choice.folders, choice.families, choice.missing) == ((SHIPPED,), FAMILIES, ())
    assert not list(links.iterdir())


def test_a_font_of_the_machine_draws_what_they_lack(
    links: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shipped = tmp_path / "shipped"
    shipped.mkdir()
    shutil.copy(SHIPPED / "LiberationSans-Regular.ttf", shipped)
    broken = tmp_path / "broken.ttf"
    broken.write_bytes(b"no font")
    unneeded = tmp_path / "unneeded.ttf"
    shutil.copy(SHIPPED / "NotoEmoji-Regular.ttf", unneeded)
    machine = [("Broken", broken), ("DejaVu", SHIPPED / "DejaVuSans.ttf"), ("Unneeded", unneeded)]
    monkeypatch.setattr(fonts, "SHIPPED", shipped)
    monkeypatch.setattr(fonts, "_machine_fonts", lambda: machine)
    choice = choose_fonts(f"ab ✗ {NOBODY}", links)
    assert choice.folders == (shipped, links)
    assert choice.families == (*FAMILIES, "DejaVu")
    assert choice.missing == (NOBODY,)
    assert [path.resolve().name for path in links.iterdir()] == ["DejaVuSans.ttf"]


def test_only_plain_upright_fonts_of_the_machine_are_looked_into() -> None:
    """The list itself is the machine's; here its form is read, and that it is the same twice."""
    found = fonts._machine_fonts()
    assert found == fonts._machine_fonts()
    assert all(path.is_file() and "Oblique" not in path.name for _, path in found)


def test_a_character_without_a_font_gets_a_box_with_its_number(tmp_path: Path) -> None:
    """Two such characters differ, a wide one is as wide as its neighbours, and the same ones are the same bytes."""
    write_codes("猫狗" + NOBODY, tmp_path / "a.ttf")
    write_codes(NOBODY + "狗猫", tmp_path / "b.ttf")
    assert (tmp_path / "a.ttf").read_bytes() == (tmp_path / "b.ttf").read_bytes()
    with TTFont(tmp_path / "a.ttf") as font:
        assert (font["head"].created, font["head"].modified) == (NO_TIME, NO_TIME), "no clock"
        names = font.getBestCmap()
        assert set(names) == set(map(ord, "猫狗" + NOBODY))
        widths = {character: font["hmtx"][names[ord(character)]][0] for character in "猫" + NOBODY}
        assert widths == {"猫": 2048, NOBODY: round(0.7 * 2048)}
        drawn = [font["glyf"][names[ord(character)]] for character in "猫狗"]
        assert drawn[0] != drawn[1]
        assert all(glyph.xMin >= 0 and glyph.xMax <= 2048 for glyph in drawn)
