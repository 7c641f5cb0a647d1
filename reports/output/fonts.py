"""Finds fonts for the characters of a PDF: those that dtui ships, then this machine's for what these lack.

Owns the order of the fonts, and the answer to which characters no font has. Runs in the child that typesets.
"""

from __future__ import annotations

import tempfile
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import typst
from fontTools.ttLib import TTCollection, TTFont, TTLibError

SHIPPED = Path(__file__).parent.parent / "fonts"
FAMILIES = ("Liberation Sans", "Noto Emoji", "DejaVu Sans")
"""The shipped families, in the order in which they are asked for a character."""
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
    wanted = {ord(character) for character in characters if not character.isspace()}
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


def name_of(character: str) -> str:
    """Return the Unicode name of a character, "without a name" for one that has none."""
    return unicodedata.name(character, "without a name")


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
