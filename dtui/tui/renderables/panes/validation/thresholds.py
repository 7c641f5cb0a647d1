"""Draws the advisor table: what each threshold of the class rules marks, and the one to use."""

from __future__ import annotations

from dtui.dataclass_on_use import dataclass
from dtui.model.findings.advice import ThresholdAdvice, ThresholdRow
from dtui.number_text import counted
from dtui.tui.renderables.canvas.cells import Cells, text_width
from dtui.tui.renderables.canvas.frame import Frame
from dtui.tui.renderables.panes.message import wrap
from dtui.tui.renderables.parts.chrome import draw_header, draw_thumb
from dtui.tui.renderables.parts.here_line import share_bar
from dtui.tui.renderables.parts.picture import Picture

TITLE = "Thresholds"
LEAST_BAR, LONGEST_BAR = 8, 40


@dataclass(frozen=True, eq=False, slots=True)
class ThresholdsPicture(Picture):
    """A row for each threshold.

    Attributes:
        advice: What each marks, and the proposed one.
        words: Sentences below the table.
        top: Index of the first row on the screen.
        selected: Index of the selected row.
        used: Share of a class at which anomalies are listed now; None where they are not listed by this rule.
        one: What a class is called.
    """

    advice: ThresholdAdvice
    words: tuple[str, ...]
    top: int
    selected: int
    used: float | None
    one: str = "class"

    def draw(self, frame: Frame, iteration: int | None = None) -> Cells:
        """Draw the rows, then the words."""
        cells, theme, advice = Cells(frame.width, frame.height, frame.theme), frame.theme, self.advice
        x = draw_header(cells, frame, TITLE, max(0, frame.width - 1))
        title = f"share of a {self.one} that must flip · {advice.rule} rule, window {advice.window}"
        cells.text(x + 2, 0, title, theme.muted, limit=max(0, frame.width - x - 3))
        shown = advice.rows[self.top : self.top + max(0, frame.height - 1)]
        for y, row in enumerate(shown, 1):
            self._draw_row(cells, frame, row, y)
        draw_thumb(cells, frame, self.top, len(shown), len(advice.rows), column=frame.width - 1)
        y = len(shown) + 2
        for sentence in self.words:
            lines = wrap(sentence, max(1, frame.width - 4))
            if y + len(lines) > frame.height:
                break
            for line in lines:
                cells.text(2, y, line, theme.text if sentence is self.words[0] else theme.muted)
                y += 1
        return cells

    def _draw_row(self, cells: Cells, frame: Frame, row: ThresholdRow, y: int) -> None:
        """Draw threshold, marked validations, their share as a bar, and class marks; what has no room is left out."""
        theme, advice = frame.theme, self.advice
        is_selected = self.top + y - 1 == self.selected
        if is_selected:
            cells.bg[y, : cells.width] = theme.selection
            cells.mark[y, : cells.width] = 1
            cells.text(0, y, "▌", theme.accent)
        ink, most = theme.bright if is_selected else theme.text, max(one.marked for one in advice.rows)
        x = cells.text(2, y, f"{row.threshold:>4.0%}", ink, bold=is_selected)
        number, noun = counted(row.marked, "validation").split()
        x = cells.text(x, y, f"  {number:>{len(f'{most:,}')}} {noun:<11}", ink)
        x = cells.text(x, y, f"{self._share(row):>7.1%}  ", ink)
        number, noun = counted(row.marks, f"{self.one} mark").split(maxsplit=1)
        marks = f"{number:>5} {noun:<11}"
        notes = max(text_width(self._note(one)) for one in advice.rows)
        longest = min(LONGEST_BAR, frame.width - x - text_width(marks) - notes - 2)
        if longest >= LEAST_BAR:
            colour = theme.lost if self._share(row) > advice.most else theme.gained
            cells.text(x, y, share_bar(row.marked / most, longest) if row.marked else "", colour)
            x += longest
        x = cells.text(x, y, marks, theme.muted, limit=max(0, frame.width - x - 1))
        cells.text(x, y, self._note(row), theme.accent, limit=max(0, frame.width - x - 1))

    def _share(self, row: ThresholdRow) -> float:
        return row.marked / max(1, self.advice.counted)

    def _note(self, row: ThresholdRow) -> str:
        """Return what is to be said of a row: whether it is proposed, and whether it is in use."""
        notes = ("proposed" * (row.threshold == self.advice.proposed), "in use" * (row.threshold == self.used))
        return "".join(f"  {note}" for note in notes if note)
