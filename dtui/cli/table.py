"""Formats tables and pairs as aligned text, with colours only on a terminal."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from dtui.safe_text import safe, text_columns

_CODES = {"dim": "2", "bold": "1", "good": "32", "bad": "31", "warn": "33", "accent": "36"}


def _is_terminal() -> bool:
    return sys.stdout is not None and sys.stdout.isatty()


def colour_wanted() -> bool:
    """Whether to use colours: standard output is a terminal, and the user did not turn colours off."""
    return _is_terminal() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def paint(text: str, style: str) -> str:
    """Return `text` in a style ("dim", "bold", "good", "bad", "warn", "accent"); unchanged if not on a terminal."""
    return f"\x1b[{_CODES[style]}m{text}\x1b[0m" if style and text and colour_wanted() else text


def sentence(text: str, style: str = "", indent: int = 0) -> str:
    """Return a line of words in a style. On a terminal, which would break them anywhere, it ends between words.

    Args:
        text: Without line ends.
        style: As for `paint`.
        indent: Columns that the second and later lines begin with.
    """
    if not _is_terminal():
        return text
    import shutil

    columns = shutil.get_terminal_size().columns
    if text_columns(text) <= columns:
        return paint(text, style)
    import textwrap

    lines = textwrap.wrap(text, max(columns, 2 * indent, 20), subsequent_indent=" " * indent, break_on_hyphens=False)
    return "\n".join(paint(line, style) for line in lines)


def table(headings: Sequence[str], rows: Sequence[Sequence[str]], styles: Sequence[str] = ()) -> str:
    """Return rows under headings, each column as wide as its widest cell.

    Args:
        headings: One per column. A heading that starts with ">" is aligned right and shown without the ">".
        rows: Cells as text; names from outside are made safe here.
        styles: One style per row, or none.
    """
    right = [heading.startswith(">") for heading in headings]
    titles = [heading.removeprefix(">") for heading in headings]
    cells = [[safe(cell, 120) for cell in row] for row in rows]
    widths = [max(text_columns(row[i]) for row in [titles, *cells]) for i in range(len(titles))]
    lines = [paint(_line(titles, widths, right), "dim")]
    for index, row in enumerate(cells):
        lines.append(paint(_line(row, widths, right), styles[index] if styles else ""))
    return "\n".join(lines)


def pairs(rows: Sequence[tuple[str, str]]) -> str:
    """Return names and values in two columns."""
    widest = max(text_columns(name) for name, _ in rows)
    named = [(name + " " * (widest - text_columns(name)) + "  ", safe(value, 300)) for name, value in rows]
    told = ((name, sentence(name + value, indent=widest + 2)) for name, value in named)
    return "\n".join(paint(name.rstrip(" "), "dim") + line[len(name.rstrip(" ")) :] for name, line in told)


def _line(cells: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> str:
    parts = []
    for cell, wide, to_right in zip(cells, widths, right, strict=True):
        space = " " * (wide - text_columns(cell))
        parts.append(space + cell if to_right else cell + space)
    return "  ".join(parts).rstrip()
