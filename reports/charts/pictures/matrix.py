"""Draws what classes are taken for: a matrix at one validation, which a script leads through all of them.

Owns its layout, and the counts that the page holds as the pixels of one picture.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dtui.model import FloatArray, IntArray
from dtui.reports.charts import theme
from dtui.reports.charts.rows.planes import grey_picture
from dtui.reports.charts.vectors import CHARACTER, Vectors, colour_of, fitted
from dtui.reports.document import Picture

WIDE, NARROW = 760, 360
RIGHT = "#eef1f5"
"""Of the cells of right answers: what is wrong stands out."""
CORNER = "true class"
FLAT, LEAN = 16.0, 22.0
"""Pixels above the cells for names that stand level, and right of the cells for those that lean."""
MOST_STEPS = 300
LARGEST = 254
"""Largest count that a pixel holds; larger ones are divided."""


@dataclass(frozen=True, eq=False)
class MatrixSheet:
    """The matrix over time.

    Attributes:
        names: Of the n classes, harmless to show.
        iterations: Of the validations, shape (m,).
        counts: Images of each class taken for each, and in the last column for all that are not shown, shape
            (m, n, n + 1).
        judged: Images of each class that were judged, shape (m, n).
        has_others: Whether there are classes that are not shown.
        worst: Position of the validation that paper shows between the first and the last.
    """

    names: tuple[str, ...]
    iterations: IntArray
    counts: IntArray
    judged: IntArray
    has_others: bool
    worst: int

    def shares(self, step: int) -> FloatArray:
        """Return the counts as shares of the judged images of each class, shape (n, n + 1); zero where none was."""
        result: FloatArray = self.counts[step] / np.maximum(1, self.judged[step])[:, None]
        return result


def matrix_picture(id: str, sheet: MatrixSheet, kept: Sequence[int], title: str, description: str) -> Picture:
    """Return the matrix at the last validation; on paper at the first, the worst and the last.

    Args:
        id: Of the picture.
        sheet: All validations.
        kept: Positions of those that the page can show, ascending, the last among them.
        title: Of the picture.
        description: What it shows, in words.

    Source: dtui.
    """
    last = len(sheet.iterations) - 1
    wide, narrow = (
        _alone(width, sheet, last, description, _data(sheet, kept) if width == WIDE else "") for width in (WIDE, NARROW)
    )
    return Picture(id, title, description, wide, WIDE, narrow, paper=_on_paper(sheet, description))


def shade(share: float) -> str:
    """Return the colour of a share of a class; even a small one is told from none."""
    return colour_of(theme.ERROR_STOPS, 0.12 + 0.78 * float(np.sqrt(min(1.0, share)))) if share > 0 else "#ffffff"


def _gutter(sheet: MatrixSheet, most: float) -> float:
    return min(most, CHARACTER * max(map(len, sheet.names)) + 12)


def _alone(width: int, sheet: MatrixSheet, step: int, description: str, data: str) -> str:
    columns = len(sheet.names) + sheet.has_others
    gutter = max(CHARACTER * len(CORNER) + 10, _gutter(sheet, 150.0 if width == WIDE else 88.0))
    cell = min(36.0, (width - gutter - 2) / columns)
    if _head(sheet, cell) != FLAT:  # the last name leans over the right edge
        cell = min(36.0, (width - gutter - LEAN) / columns)
    head = _head(sheet, cell)
    more = {"data_matrix": data} if data else {}
    drawing = Vectors.picture(width, 22 + head + cell * len(sheet.names) + 4, description, **more)
    drawing.words(gutter, 12, "taken for", theme.MUTED, font_size="11")
    drawing.words(gutter - 8, 22 + head - 6, CORNER, theme.MUTED, "end", font_size="11")
    _matrix(drawing.group(transform=f"translate(0 {22 + head:g})"), sheet, step, gutter, cell)
    return drawing.svg()


def _on_paper(sheet: MatrixSheet, description: str) -> str:
    """Draw three validations beside each other; the names of the rows stand at the first of a line."""
    last = len(sheet.iterations) - 1
    moments = dict.fromkeys((0, sheet.worst, last), "")
    moments |= {0: "first", sheet.worst: "worst", last: "last"}
    columns = len(sheet.names) + sheet.has_others
    gutter, cell = max(CHARACTER * len(CORNER) + 10, _gutter(sheet, 84.0)), 14.0
    own, head = max(cell * columns, 150.0) + 14, _head(sheet, cell)
    tall = 26 + head + cell * len(sheet.names) + 12
    across = max(1, int((theme.PAPER_WIDTH - gutter) // own))
    drawing = Vectors.picture(theme.PAPER_WIDTH, -(-len(moments) // across) * tall, description)
    for place, (step, word) in enumerate(moments.items()):
        x, y = place % across * own, place // across * tall
        part = drawing.group(transform=f"translate({x:g} {y:g})")
        part.words(gutter, 13, f"{word}, at {int(sheet.iterations[step]):,}", theme.INK, font_weight="bold")
        named = place % across == 0
        if named:
            part.words(gutter - 8, 26 + head - 6, CORNER, theme.MUTED, "end", font_size="11")
        _matrix(part.group(transform=f"translate(0 {26 + head:g})"), sheet, step, gutter, cell, is_named=named)
    return drawing.svg()


def _head(sheet: MatrixSheet, cell: float) -> float:
    """Return the pixels above the cells for the names of the columns, turned where they have no room."""
    longest = CHARACTER * max(map(len, (*sheet.names, "others" if sheet.has_others else "")))
    return FLAT if longest <= cell else min(96.0, longest) * 0.95 + 8


def _matrix(
    drawing: Vectors, sheet: MatrixSheet, step: int, gutter: float, cell: float, *, is_named: bool = True
) -> None:
    columns = (*sheet.names, *(("others",) if sheet.has_others else ()))
    is_flat = _head(sheet, cell) == FLAT
    for column, name in enumerate(columns):
        x = gutter + (column + 0.5) * cell
        turned = {} if is_flat else {"transform": f"rotate(-65 {x + 3:.1f} -6)"}
        ink = theme.MUTED if column == len(sheet.names) else theme.INK
        at, shown = ("middle", name) if is_flat else ("start", fitted(name, 96.0))
        drawing.words(x + (0 if is_flat else 3), -6, shown, ink, at, None, font_size="11", **turned)
    counts, shares = sheet.counts[step], sheet.shares(step)
    for row, name in enumerate(sheet.names):
        y = row * cell
        if is_named:
            drawing.words(gutter - 8, y + cell / 2 + 4, name, theme.INK, "end", gutter - 10, font_size="11")
        for column in range(len(columns)):
            colour = RIGHT if row == column else shade(float(shares[row, column]))
            x, count = gutter + column * cell, int(counts[row, column])
            place = {"data_cell": f"{row} {column}"}
            drawing.box(x, y, cell - 1, cell - 1, colour, stroke=theme.GRID, stroke_width="0.5", **place)
            text = _fitting(count, cell) if row != column or cell > 30 else ""
            ink = theme.MUTED if row == column else "#ffffff" if shares[row, column] > 0.25 else theme.INK
            drawing.words(x + cell / 2 - 0.5, y + cell / 2 + 3.5, text, ink, "middle", None, font_size="11", **place)


def _fitting(count: int, cell: float) -> str:
    text = f"{count:,}" if count else ""
    return text if 6.2 * len(text) <= cell else ""


def _data(sheet: MatrixSheet, kept: Sequence[int]) -> str:
    """Return what the script needs, as JSON: a pixel a cell, a row of pixels a validation."""
    chosen = list(kept)
    most = max(int(sheet.counts.max(initial=0)), int(sheet.judged.max(initial=0)), 1)
    unit = -(-most // LARGEST)
    flat = np.concatenate([sheet.counts[chosen].reshape(len(chosen), -1), sheet.judged[chosen]], axis=1)
    return json.dumps(
        {
            "names": [*sheet.names, "others"],
            "rows": len(sheet.names),
            "iterations": sheet.iterations[chosen].tolist(),
            "unit": unit,
            "picture": grey_picture((flat // unit).astype(np.uint8)),
            "stops": list(theme.ERROR_STOPS),
            "right": RIGHT,
            "inks": [theme.INK, "#ffffff", theme.MUTED],
        },
        separators=(",", ":"),
    )
