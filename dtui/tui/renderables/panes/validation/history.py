"""Draws one image over time: its labels, how sure they were, and the images that flip when it does."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dtui.dataclass_on_use import dataclass
from dtui.model import FloatArray, IntArray, Stage
from dtui.model.judging import Judging, as_groups
from dtui.model.learning import ImageHistory, LabelStrips
from dtui.number_text import counted
from dtui.safe_text import safe
from dtui.tui.renderables.canvas.cells import Cells, UintArray, shorten, text_width
from dtui.tui.renderables.canvas.frame import Frame
from dtui.tui.renderables.canvas.primitives import EIGHTHS, paint_pixels, resample
from dtui.tui.renderables.parts.chrome import draw_header, draw_stages, select_gutter
from dtui.tui.renderables.parts.picture import Picture
from dtui.tui.renderables.parts.words.class_names import class_name, telling_name
from dtui.tui.renderables.parts.words.judged_words import has_labels, score_name, score_text, wrong_colour
from dtui.tui.renderables.parts.words.label_letters import letter_of

TITLE = "Labels"
PARTNERS = 8


@dataclass(frozen=True, slots=True)
class HistoryPicture(Picture):
    """Strips of labels under a header: the image, its confidence, and a row for each image that flips with it.

    Attributes:
        history: Of the image.
        strips: Labels of the image and its partners over any axis; None while they load.
        selected: 0 for the image, from 1 on its partners.
        classes: Names by label; data from outside.
        stages: Learning-rate stages, dashed verticals.
    """

    history: ImageHistory
    strips: LabelStrips | None
    selected: int
    classes: tuple[str, ...]
    stages: tuple[Stage, ...] = ()
    crosshair = True

    def draw(self, frame: Frame, iteration: int | None = None) -> Cells:
        """Draw header, strips and names."""
        cells, theme = Cells(frame.width, frame.height, frame.theme), frame.theme
        self._draw_header(cells, frame)
        places = rows_of(frame.height, self.has_confidence, len(self.history.partners))
        room, y = max(0, frame.gutter - 3), 1
        if self.selected == 0:
            select_gutter(cells, frame, places.label.start, len(places.label))
        learned = self.history.learned
        own = class_name(self.classes, learned.target)
        cells.text(
            2,
            places.label.start,
            f"{'is' if has_labels(self.history.judging) else 'in'} {own}",
            theme.bright,
            bold=True,
            limit=room,
        )
        if len(places.label) > 1:
            cells.text(2, places.label.start + 1, counted(self.history.flips, "flip"), theme.muted, limit=room)
        self._draw_strip(cells, frame, 0, places.label)
        if len(places.confidence):
            y = places.confidence.start
            name, span = self._course_words()
            cells.text(2, y, name, theme.muted, limit=room)
            if len(places.confidence) > 1:
                cells.text(2, y + 1, span, theme.faint, limit=room)
            self._draw_confidence(cells, frame, places.confidence)
        if places.heading is not None:
            alone = as_groups("no other image flips with it", self.history.judging)
            words = "flips with it" if len(self.history.partners) else alone
            x = cells.text(1, places.heading, words, theme.text, limit=max(0, frame.width - 2))
            if len(self.history.partners) and frame.gutter >= 26:
                cells.text(x + 2, places.heading, "shared, of all", theme.faint, limit=max(0, frame.gutter - x - 3))
        for place, y in enumerate(places.partners, 1):
            if place == self.selected:
                select_gutter(cells, frame, y)
            self._draw_partner(cells, frame, place, y)
        draw_stages(cells, frame, self.stages, 1, frame.height)
        return cells

    @property
    def has_confidence(self) -> bool:
        """Whether any confidence, or score, of the image is known."""
        return self.strips is not None and bool(np.isfinite(self._course(self.strips)).any())

    def _course(self, strips: LabelStrips) -> FloatArray:
        """Return what is drawn below the labels of the image, shape (1, columns), in [0, 1]: its score, else how sure
        its label was."""
        if strips.score is None:
            return strips.confidence[:1]
        low, high = strips.score_range
        result: FloatArray = np.clip((strips.score[:1] - low) / (high - low or 1.0), 0, 1)
        return result

    def _course_words(self) -> tuple[str, str]:
        """Return what it is, and its range."""
        if self.strips is None or self.strips.score is None:
            return "confidence", "0–100 %"
        low, high = map(score_text, self.strips.score_range)
        return score_name(self.history.judging), f"{low} to {high}"

    def _draw_header(self, cells: Cells, frame: Frame) -> None:
        """Write which image it is, and the colours of its labels at the right end."""
        theme, learned = frame.theme, self.history.learned
        x = draw_header(cells, frame, TITLE, max(0, frame.width - 1))
        name = as_groups(f"image {learned.image}", self.history.judging)
        name += f", id {safe(learned.id)}" if learned.id != str(learned.image) else ""
        x = cells.text(x + 2, 0, name, theme.accent, limit=max(0, frame.width - x - 3))
        solid, items = "██", [("██" if frame.output.has_pixels else "░░", "right", theme.correct)]
        for label in self._labels():
            patch = solid if frame.output.has_pixels else letter_of(label) * 2
            words = shorten(class_name(self.classes, label), 14)
            items.append((patch, words, wrong_colour(theme, label, self.history.judging)))
        while items and x + 2 + sum(text_width(words) + 5 for _, words, _ in items) > frame.width:
            items.pop()
        x = frame.width + 1 - sum(text_width(words) + 5 for _, words, _ in items)
        for patch, words, colour in items:
            cells.text(x, 0, patch, colour)
            x = cells.text(x + 3, 0, words, theme.muted) + 2

    def _labels(self) -> list[int]:
        """Return the wrong labels on screen: first those of the image itself, then the most frequent."""
        if self.strips is None:
            return []
        wrong = self.strips.wrong_label
        labels, counts = np.unique(wrong[wrong >= 0], return_counts=True)
        of_others = ~np.isin(labels, wrong[:1])
        return [int(labels[place]) for place in np.lexsort((labels, -counts, of_others))][:8]

    def _draw_strip(self, cells: Cells, frame: Frame, row: int, rows: range) -> None:
        if self.strips is None or frame.axis is None or frame.plot_width < 1 or row >= len(self.strips.images):
            return
        axis = frame.axis.with_columns(frame.plot_width)
        correct = resample(self.strips.correct[row], self.strips.axis, axis)
        wrong = resample(self.strips.wrong_label[row], self.strips.axis, axis)
        paint_labels(cells, frame, rows, correct, wrong, self.history.judging)

    def _draw_confidence(self, cells: Cells, frame: Frame, rows: range) -> None:
        if self.strips is None or frame.axis is None or frame.plot_width < 1:
            return
        axis = frame.axis.with_columns(frame.plot_width)
        values = resample(self._course(self.strips)[0], self.strips.axis, axis)
        known = np.isfinite(values)
        eighths = np.maximum(1, np.rint(np.where(known, values, 0) * 8 * len(rows))).astype(np.int64)
        for index, y in enumerate(rows):
            filled = np.clip(eighths - 8 * (len(rows) - 1 - index), 0, 8)
            glyphs = np.where(known, EIGHTHS[filled], np.uint32(32))
            cells.paste(frame.gutter, y, glyphs[None], np.full((1, len(values)), frame.theme.train, np.uint32))

    def _draw_partner(self, cells: Cells, frame: Frame, place: int, y: int) -> None:
        theme, history = frame.theme, self.history
        shared, flips = int(history.shared[place - 1]), int(history.partner_flips[place - 1])
        counted = f"{shared:,} of {flips:,}" if frame.gutter >= 26 else f"{shared:,}"
        right = frame.gutter - 2
        cells.text(right - text_width(counted), y, counted, theme.muted)
        colour = theme.bright if place == self.selected else theme.text
        x = cells.text(2, y, f"{history.partners[place - 1]:,}", colour, bold=place == self.selected)
        room = right - text_width(counted) - x - 4
        if room > 2:
            x = cells.text(x, y, " · ", theme.faint)
            target = int(history.partner_targets[place - 1])
            own = class_name(self.classes, target)
            own = own if text_width(own) <= room else telling_name(self.classes, target)
            cells.text(x, y, own, colour, bold=place == self.selected, limit=room)
        self._draw_strip(cells, frame, place, range(y, y + 1))


@dataclass(frozen=True, slots=True)
class HistoryRows:
    """Where the parts stand in the pane: rows of the label strip, of the confidence, the heading, the partners."""

    label: range
    confidence: range
    heading: int | None
    partners: range

    def row_at(self, y: int) -> int | None:
        """Return the row of the pane at terminal row `y`: 0 for the image, from 1 on its partners; None elsewhere."""
        if y in self.label or y in self.confidence:
            return 0
        return y - self.partners.start + 1 if y in self.partners else None


def rows_of(height: int, has_confidence: bool, partners: int) -> HistoryRows:
    """Divide a pane of `height` rows: in a low one the strips are one row high, and the last partners are left out."""
    tall = height >= 12
    label = range(1, 1 + min(2 if tall else 1, max(0, height - 1)))
    y = label.stop
    confidence = range(y, y + (0 if not has_confidence else 2 if tall else 1 if height >= 5 else 0))
    y = confidence.stop
    heading = y if height > y + 1 or (height > y and not partners) else None
    if heading is not None:
        y += 1
    return HistoryRows(label, confidence, heading, range(y, max(y, min(height, y + partners))))


def rows_needed(partners: int) -> int:
    """Return the rows that show everything, with the header."""
    return 1 + 2 + 2 + 1 + partners


def paint_labels(
    cells: Cells, frame: Frame, rows: range, correct: FloatArray, wrong: IntArray, judging: Judging | None = None
) -> None:
    """Paint labels over time: right ones, the colour of each wrong label, letters where there are no colours.

    Args:
        cells: To draw into.
        frame: Where the columns are.
        rows: Terminal rows to fill.
        correct: Share of right judgements, shape (columns,); NaN for none.
        wrong: The wrong label, shape (columns,); -1 for none. It wins over a right one.
        judging: What decides what is right where class scores do not.
    """
    kinds = [int(label) for label in np.unique(wrong[wrong >= 0])]
    colours = np.array(
        [frame.theme.correct, *(wrong_colour(frame.theme, label, judging) for label in kinds)], np.uint32
    )
    steps = np.where(np.isfinite(correct), 0, -1)
    steps = np.where(wrong >= 0, 1 + np.searchsorted(kinds, wrong), steps) if kinds else steps
    for y in rows:
        if y >= cells.height:
            break
        if frame.output.has_pixels:
            paint_pixels(cells, frame.gutter, y, np.stack([steps, steps]), colours, frame.output)
        else:
            _paint_letters(cells, frame, y, steps, colours, kinds)


def _paint_letters(
    cells: Cells, frame: Frame, y: int, steps: IntArray, colours: UintArray, kinds: Sequence[int]
) -> None:
    glyphs = np.array([ord("░"), *(ord(letter_of(label)) for label in kinds), 32], np.uint32)
    cells.paste(frame.gutter, y, glyphs[steps][None], np.append(colours, np.uint32(0))[steps][None])
