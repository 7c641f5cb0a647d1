"""Draws one image as large as it fits, and its history in words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dtui.dataclass_on_use import dataclass
from dtui.model import ImageVerdict
from dtui.model.judging import as_groups
from dtui.model.learning import ImageHistory, LabelStretch
from dtui.tui.renderables.canvas.cells import Cells, shorten, text_width
from dtui.tui.renderables.canvas.frame import Frame
from dtui.tui.renderables.canvas.marks import CHOSEN
from dtui.tui.renderables.panes.validation.gallery import facts_of
from dtui.tui.renderables.parts.chrome import draw_header
from dtui.tui.renderables.parts.picture import Picture
from dtui.tui.renderables.parts.thumbnail import draw_thumbnail, drawn_size
from dtui.tui.renderables.parts.words.class_names import class_name
from dtui.tui.renderables.parts.words.judged_words import has_labels, score_beside, score_name, wrong_colour

TITLE = "Image"
WORDS = 30
"""Columns that the words need beside the picture."""
WIDE_WORDS = 46
"""Columns that they get where there is room for more pictures."""
PARTNERS, ACROSS = (40, 28, 20, 14), 4
"""Columns of the picture of an image that flips with it, as many as all have room for, so many beside each other. It
has half as many rows, and its name below."""


@dataclass(frozen=True, slots=True)
class PortraitPicture(Picture):
    """The picture at the left, and words beside it.

    Attributes:
        history: Of the image.
        verdict: At the crosshair; None while it loads.
        classes: Names by label; data from outside.
        selected: Place of the selected partner among those that flip with it; -1 for none.
    """

    history: ImageHistory
    verdict: ImageVerdict | None
    classes: tuple[str, ...]
    selected: int = -1
    is_all_readout = True

    def draw(self, frame: Frame, iteration: int | None = None) -> Cells:
        """Draw the picture and the words."""
        cells, theme, pixels = Cells(frame.width, frame.height, frame.theme), frame.theme, self.history.pixels
        x = draw_header(cells, frame, as_groups(TITLE, self.history.judging), max(0, frame.width - 1))
        verdict = self.verdict
        if verdict is not None and verdict.iteration is not None:
            cells.text(x + 2, 0, f"at {verdict.iteration:,}", theme.muted, limit=max(0, frame.width - x - 3))
        left, rows = 2, frame.height - 1
        if pixels is not None and rows >= 2:
            room = max(0, min(2 * rows, frame.width - WORDS - 4))
            draw_thumbnail(cells, 2, 1, room, rows, pixels, frame.output)
            left = 2 + drawn_size(room, rows, pixels)[0] + 3
        stop = self._draw_partners(cells, frame, left + WIDE_WORDS)
        width, y = stop - left - 1, 1
        if verdict is not None:
            for index, (text, colour) in enumerate(
                facts_of(frame, verdict, self.classes, self.history.learned.forgotten)[
                    : 3 if verdict.rank is None else 4
                ]
            ):
                cells.text(left, y, text, colour, bold=index == 0, limit=max(0, width))
                y += 1
        for text in _summary(self.history, self.classes):
            cells.text(left, y, text, theme.text, limit=max(0, width))
            y += 1
        if frame.height - y >= 2:
            self._draw_stretches(cells, frame, left, y + (1 if frame.height - y >= 4 else 0), stop, iteration)
        return cells

    def _draw_partners(self, cells: Cells, frame: Frame, left: int) -> int:
        """Draw the pictures that flip with it right of column `left`, and return the column where they begin."""
        history, theme, room = self.history, frame.theme, frame.width - left
        lines = -(-len(history.partners) // ACROSS)
        fits = [one for one in PARTNERS if ACROSS * (one + 2) <= room and lines * (one // 2 + 2) <= frame.height - 2]
        size = max(fits, default=PARTNERS[-1])
        across = min(ACROSS, room // (size + 2))
        down = (frame.height - 2) // (size // 2 + 2)
        if across < 2 or down < 1 or not any(pixels is not None for pixels in history.partner_pixels):
            return frame.width
        begin = frame.width - across * (size + 2) - 1
        cells.text(begin, 1, "flips with it", theme.muted)
        for place, pixels in enumerate(history.partner_pixels[: across * down]):
            x, y = begin + place % across * (size + 2), 2 + place // across * (size // 2 + 2)
            if pixels is not None:
                draw_thumbnail(cells, x, y, size, size // 2, pixels, frame.output)
            name = f"{history.partners[place]:,} · {class_name(self.classes, int(history.partner_targets[place]))}"
            is_selected = place == self.selected
            colour = theme.flag if is_selected else theme.muted
            cells.text(x, y + size // 2, name, colour, bold=is_selected, limit=size)
        return begin - 1

    def _draw_stretches(self, cells: Cells, frame: Frame, x: int, y: int, stop: int, iteration: int | None) -> None:
        """Write the labels over time up to column `stop`, the one at the crosshair marked and near the middle."""
        theme, stretches, room = frame.theme, self.history.stretches, frame.height - y
        if not stretches or room < 1:
            return
        here = next((place for place, one in reversed(list(enumerate(stretches))) if one.first <= (iteration or 0)), 0)
        first = max(0, min(here - room // 2, len(stretches) - room))
        span = max(text_width(_span(one)) for one in stretches[first : first + room])
        for line, one in enumerate(stretches[first : first + room], y):
            is_here, is_right = first + line - y == here, one.label == self.history.learned.target
            cells.text(x, line, CHOSEN.glyph if is_here else " ", CHOSEN.of(theme), bold=True)
            begin = x + 2 + span - text_width(_span(one))
            cells.text(begin, line, _span(one), theme.bright if is_here else theme.muted, bold=is_here)
            words = _said(one, self.history.learned.target, self.classes)
            wrong = theme.muted if one.label is None else wrong_colour(theme, one.label, self.history.judging)
            colour = theme.gained if is_right else wrong
            cells.text(x + 4 + span, line, words, colour, bold=is_here, limit=max(0, stop - x - span - 5))


def _summary(history: ImageHistory, classes: Sequence[str]) -> list[str]:
    learned = history.learned
    lines = []
    if learned.first_right is None:
        lines.append("never right")
    else:
        lines.append(
            f"first right at {learned.first_right:,}; {'right' if learned.is_right_at_last else 'wrong'} at the end"
        )
    if learned.taken_for is not None and has_labels(history.judging):
        times = f"{learned.taken_for_times:,} {'time' if learned.taken_for_times == 1 else 'times'}"
        lines.append(f"usual wrong label {class_name(classes, learned.taken_for)}, {times}")
    finite = history.scores[np.isfinite(history.scores)]
    if len(finite):
        low, high, last = (
            score_beside(float(one), history.judging) for one in (finite.min(), finite.max(), finite[-1])
        )
        lines.append(f"{score_name(history.judging)} from {low} to {high}, {last} at the end")
    return lines


def _span(one: LabelStretch) -> str:
    return f"{one.first:,}" if one.first == one.last else f"{one.first:,}–{one.last:,}"


def _said(one: LabelStretch, target: int, classes: Sequence[str]) -> str:
    times = f", {one.validations:,} validations" if one.validations > 1 else ""
    if one.label is None:
        return f"not judged{times}"
    return f"{'right' if one.label == target else shorten(class_name(classes, one.label), 24)}{times}"
