"""Finds fonts for the characters of a PDF: those that dtui ships, then this machine's for what these lack.

Owns the order of the fonts, and the answer to which characters no font has. Runs in the child that typesets.
"""

from __future__ import annotations

import tempfile
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typst
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.transformPen import TransformPen
from fontTools.pens.ttGlyphPen import TTGlyphPen
from fontTools.ttLib import TTCollection, TTFont, TTLibError

from dtui.reports.writing_direction import END, ISOLATE

SHIPPED = Path(__file__).parent.parent / "fonts"
FAMILIES = ("Liberation Sans", "Noto Emoji", "DejaVu Sans")
"""The shipped families, in the order in which they are asked for a character."""
CODES = "dtui Codes"
"""The family of a font that is made for the characters that no font has."""
NO_TIME = 2_082_844_800
"""1970 in seconds since 1904: a font of ours holds no time, so that the same characters are the same bytes."""
MOST_LOOKED_INTO = 400
"""Most font files of the machine that are opened to find a character."""


@dataclass(frozen=True, slots=True)
class FontChoice:
    """The fonts of one document.

    Attributes:
        folders: Where Typst finds them.
        families: Their names; the first that has a character draws it.
        missing: Characters that none of them has, in the order of their numbers.
    """

    folders: tuple[Path, ...]
    families: tuple[str, ...]
    missing: tuple[str, ...]


def choose_fonts(characters: Iterable[str], links: Path) -> FontChoice:
    """Return the fonts for a document. The machine's fonts count only where a shipped font lacks a character.

    Args:
        characters: All that are to be drawn.
        links: An empty folder, for links to the machine's fonts that are needed.

    Source: dtui.
    """
    shapeless = (ISOLATE, END)
    wanted = {ord(character) for character in characters if not character.isspace() and character not in shapeless}
    for path in sorted(SHIPPED.glob("*.ttf")):
        wanted -= _covered(path)
    families: list[str] = []
    for family, path in _machine_fonts() if wanted else ():
        found = wanted & _covered(path)
        if found:
            (links / f"{len(families)}{path.suffix}").symlink_to(path)
            families.append(family)
            wanted -= found
        if not wanted:
            break
    folders = (SHIPPED, links) if families else (SHIPPED,)
    return FontChoice(folders, (*FAMILIES, *dict.fromkeys(families)), tuple(chr(code) for code in sorted(wanted)))


def write_codes(characters: Iterable[str], path: Path) -> None:
    """Write a font that draws each of some characters as a box with its number, as tall as a letter.

    In a picture two such characters still differ, and can be copied and searched.

    Args:
        characters: At least one.
        path: Of the new file; the same characters give the same bytes.

    Raises:
        OSError: It cannot be written.

    Source: dtui.
    """
    with TTFont(SHIPPED / "LiberationSans-Regular.ttf", lazy=True) as letters:
        outlines, names, size = letters.getGlyphSet(), letters.getBestCmap(), letters["head"].unitsPerEm
        digits = {digit: outlines[names[ord(digit)]] for digit in "0123456789ABCDEF"}
        made, widths, cmap = {".notdef": TTGlyphPen(None).glyph()}, {".notdef": (size, 0)}, {}
        for character in sorted(set(characters)):
            name, code = f"u{ord(character):04X}", f"{ord(character):04X}"
            wide = size if unicodedata.east_asian_width(character) in "WF" else round(0.7 * size)
            made[name] = _code_box(code, digits, wide, size)
            widths[name], cmap[ord(character)] = (wide, 0), name
    builder = FontBuilder(size, isTTF=True)
    builder.setupGlyphOrder(list(made))
    builder.setupCharacterMap(cmap)
    builder.setupGlyf(made)
    builder.setupHorizontalMetrics(widths)
    builder.setupHorizontalHeader(ascent=round(0.9 * size), descent=-round(0.2 * size))
    named = {"familyName": CODES, "styleName": "Regular", "fullName": CODES, "psName": CODES.replace(" ", "")}
    builder.setupNameTable(named)  # Typst passes over a font without the last two
    builder.setupOS2()
    builder.setupPost()
    builder.updateHead(created=NO_TIME, modified=NO_TIME)
    builder.save(path)


def _code_box(code: str, digits: dict[str, Any], wide: int, size: int) -> Any:
    """Return the outline: a frame with two lines of digits in it."""
    pen = TTGlyphPen(None)
    low, high, left, right, line = (round(part * size) for part in (-0.12, 0.76, 0.04, wide / size - 0.04, 0.035))
    for corners in (
        [(left, low), (left, high), (right, high), (right, low)],
        [
            (left + line, low + line),
            (right - line, low + line),
            (right - line, high - line),
            (left + line, high - line),
        ],
    ):
        pen.moveTo(corners[0])
        for corner in corners[1:]:
            pen.lineTo(corner)
        pen.closePath()
    across = -(-len(code) // 2)
    cell, tall = (right - left - 3 * line) / across, (high - low - 3 * line) / 2
    for place, digit in enumerate(code.rjust(2 * across, "0")):
        glyph = digits[digit]
        scale = min(0.9 * cell / glyph.width, 0.82 * tall / (0.69 * size))
        x = left + 1.5 * line + (place % across + 0.5) * cell - scale * glyph.width / 2
        y = low + 1.5 * line + (1 - place // across + 0.5) * tall - scale * 0.69 * size / 2
        glyph.draw(TransformPen(pen, (scale, 0, 0, scale, x, y)))
    return pen.glyph()


def name_of(character: str) -> str:
    """Return the Unicode name of a character, "" where that is its number again, "without a name" where it has none."""
    name = unicodedata.name(character, "without a name")
    return "" if name.endswith(f"-{ord(character):04X}") else name


def drawn_by(character: str) -> str:
    """Return the name of a free font that has many characters like this one."""
    return "Noto Sans CJK" if unicodedata.east_asian_width(character) in "WF" else "Noto Sans"


def links_folder() -> tempfile.TemporaryDirectory[str]:
    """Return a folder of its own for `choose_fonts`, removed at its end."""
    return tempfile.TemporaryDirectory(prefix="dtui-fonts-")


def _covered(path: Path) -> set[int]:
    """Return the characters that a font file has a glyph for; none if it cannot be read."""
    try:
        if path.suffix.lower() in (".ttc", ".otc"):
            with TTCollection(path, lazy=True) as collection:
                return set(collection.fonts[0].getBestCmap() or ())
        with TTFont(path, lazy=True) as font:
            return set(font.getBestCmap() or ())
    except (OSError, TTLibError, KeyError, ValueError, AssertionError):
        return set()


def _machine_fonts() -> list[tuple[str, Path]]:
    """Return family and file of the machine's plain upright fonts; those of many scripts first, then by path."""
    plain = {
        Path(font.path): font.family
        for font in typst.Fonts(True, False, []).fonts()
        if font.path is not None and font.index == 0 and font.style == "normal" and 300 <= font.weight <= 500
    }
    many = ("CJK", "Noto", "Droid", "WenQuanYi", "Unifont")
    order = sorted(plain, key=lambda path: (not any(word in plain[path] for word in many), str(path)))
    return [(plain[path], path) for path in order[:MOST_LOOKED_INTO]]
