"""Draws true against predicted labels as a table of numbers."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from dtui.dataclass_on_use import dataclass
from dtui.model.learning import ConfusionMatrix
from dtui.number_text import counted
from dtui.safe_text import safe
from dtui.tui.renderables.canvas.cells import Cells, shorten, text_width
from dtui.tui.renderables.canvas.frame import Frame
from dtui.tui.renderables.canvas.marks import CHOSEN
from dtui.tui.renderables.canvas.palettes import label_colour, share_colours, to_lab
from dtui.tui.renderables.parts.chrome import draw_header
from dtui.tui.renderables.parts.picture import Picture
from dtui.tui.renderables.parts.words.class_names import bare_name, telling_name
from dtui.tui.renderables.parts.words.judged_words import has_labels, score_name

TITLE = "Matrix"
NARROWEST = 5
ROOMY = 8
WIDEST = 12
WIDE, WIDEST_ROOMY, TALLEST = 200, 16, 3
"""From this width on, cells have so many columns and rows where all of them fit so."""
NAMED_FROM = 26
"""Columns of a gutter that has room for how many images each class has."""
JUDGED = "in all"


@dataclass(frozen=True, slots=True)
class Table:
    """Where the cells stand: below a header and a row of names, right of the gutter; below them a line of words.

    Attributes:
        gutter: Columns for the names of the rows.
        cell: Columns of a cell.
        rows: Rows that fit.
        columns: Columns of cells that fit.
        tall: Rows of the terminal of each row, a blank one below it where there are more than one.
    """

    gutter: int
    cell: int
    rows: int
    columns: int
    tall: int = 1

    def at(self, x: int, y: int) -> tuple[int, int] | None:
        """Return row and column of the cell that is drawn at a place; None outside."""
        row, column = (y - 2) // self.tall, (x - self.gutter) // self.cell
        return (row, column) if 0 <= row < self.rows and 0 <= column < self.columns and x >= self.gutter else None


def table_of(width: int, height: int, gutter: int, classes: Sequence[str]) -> Table:
    """Return where the cells of a pane stand: cells are as wide as the names where all of them fit so."""
    longest = max((text_width(safe(name)) for name in classes[:200]), default=1) + 1
    room = max(0, width - gutter - 1)
    cell = max(NARROWEST, min(WIDEST, longest))
    if classes and len(classes) * NARROWEST <= room:
        roomy = ROOMY if width < WIDE else WIDEST_ROOMY
        cell = max(NARROWEST, min(max(cell, roomy), room // len(classes)))
    rows = height - 2 if len(classes) <= height - 2 else height - 3  # then a line says how many more there are
    tall = 1 if width < WIDE else max(1, min(TALLEST, (height - 2) // max(1, len(classes))))
    return Table(gutter, cell, max(1, rows), max(1, room // cell), tall)


@dataclass(frozen=True, slots=True)
class MatrixPicture(Picture):
    """Rows are true labels, columns predicted ones. What is wrong is shaded by its share of the row.

    Attributes:
        matrix: What to show.
        pair: The selected pair of true and predicted label.
        classes: Names by label; data from outside.
    """

    matrix: ConfusionMatrix
    pair: tuple[int, int] | None
    classes: tuple[str, ...]

    def draw(self, frame: Frame, iteration: int | None = None) -> Cells:
        """Draw names and cells."""
        cells, theme, matrix = Cells(frame.width, frame.height, frame.theme), frame.theme, self.matrix
        table = table_of(frame.width, frame.height, frame.gutter, self.classes)
        x = draw_header(cells, frame, TITLE, max(0, frame.width - 1))
        if matrix.iteration is None:
            cells.text(x + 2, 0, "not validated yet", theme.muted)
            return cells
        if not has_labels(matrix.judging):
            words = f"none: the {score_name(matrix.judging)} decides what is right, and no label"
            cells.text(x + 2, 0, words, theme.muted, limit=max(0, frame.width - x - 3))
            return cells
        words = f"rows: true class · columns: taken for · images at {matrix.iteration:,}"
        if text_width(words) > frame.width - x - 3:
            words = f"true class ↓ taken for → at {matrix.iteration:,}"
        cells.text(x + 2, 0, words, theme.muted, limit=max(0, frame.width - x - 3))
        rows, columns = matrix.rows[: table.rows].tolist(), matrix.columns[: table.columns].tolist()
        for place, label in enumerate(columns):
            self._draw_column_name(cells, frame, table, place, label)
        if frame.gutter >= NAMED_FROM:
            cells.text(table.gutter - 2 - text_width(JUDGED), 1, JUDGED, theme.faint)
        for place, label in enumerate(rows):
            self._draw_row(cells, frame, table, place, label, columns)
        more = [
            f"{count:,} more {what}"
            for count, what in ((matrix.more_rows, "classes with wrong images"), (matrix.more_columns, "wrong labels"))
            if count
        ]
        if more and frame.height > 3:
            cells.text(1, min(frame.height - 1, 2 + len(rows) * table.tall), "and " + ", ".join(more), theme.muted)
        return cells

    def _draw_column_name(self, cells: Cells, frame: Frame, table: Table, place: int, label: int) -> None:
        is_selected = self.pair is not None and label == self.pair[1]
        name, room = bare_name(self.classes, label), table.cell - 1
        name = name if text_width(name) <= room else shorten(telling_name(self.classes, label), room)
        x = table.gutter + (place + 1) * table.cell - text_width(name)
        cells.text(x, 1, name, label_colour(frame.theme, label), bold=is_selected)

    def _draw_row(
        self, cells: Cells, frame: Frame, table: Table, place: int, label: int, columns: Sequence[int]
    ) -> None:
        theme, matrix, top = frame.theme, self.matrix, 2 + place * table.tall
        y, filled = top + (table.tall - 1) // 2, slice(top, top + max(1, table.tall - 1))  # below it a gap
        is_selected = self.pair is not None and label == self.pair[0]
        if is_selected:
            cells.bg[top : top + table.tall, : table.gutter] = theme.selection
            cells.mark[top : top + table.tall, : table.gutter] = 1
        judged, others = int(matrix.judged[place]), int(matrix.others[place])
        note = f"{judged:,}" if frame.gutter >= NAMED_FROM else ""
        end = table.gutter - 2 - text_width(note)
        cells.text(table.gutter - 2 - text_width(note), y, note, theme.faint)
        name_colour = theme.bright if is_selected else theme.text
        name = bare_name(self.classes, label)
        cells.text(2, y, name, name_colour, bold=is_selected, limit=max(0, end - 3))
        colours = share_colours(theme, frame.output)
        for column, other in enumerate(columns):
            count = int(matrix.counts[place, column])
            x, text = table.gutter + column * table.cell, f"{count:,}" if count else "·"
            begin = x + table.cell - text_width(text)
            is_right, is_pair = other == label, self.pair == (label, other)
            colour = theme.faint if not count else theme.gained if is_right else theme.text
            if count and not is_right and judged:
                share = count / judged
                shade = int(colours[min(len(colours) - 1, int(share * len(colours)))])
                if frame.output.has_pixels:
                    cells.bg[filled, x + 1 : x + table.cell] = shade
                    colour = theme.panel if _is_light(shade) == _is_light(theme.text) else theme.bright
                else:
                    colour = theme.warning if share > 0.1 else theme.text
            cells.text(begin, y, text, colour, bold=is_pair or (not is_right and bool(count)))
            if is_pair:
                cells.mark[filled, x + 1 : x + table.cell] = 1
                if begin > x + 1:
                    cells.text(x + 1, y, CHOSEN.glyph, colour, bold=True)
        x = table.gutter + len(columns) * table.cell + 2
        if others and x + 8 < frame.width:
            cells.text(x, y, f"+{counted(others, 'other')}", theme.muted, limit=frame.width - x)


@lru_cache(maxsize=1_024)
def _is_light(colour: int) -> bool:
    return bool(to_lab(np.array(colour, np.uint32))[0] > 55)
