"""Draws confusions: which class was taken for which, how that changed, and its share over time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dtui.dataclass_on_use import dataclass
from dtui.model import FloatArray, Stage, TimeAxis
from dtui.model.learning import ConfusionChange
from dtui.tui.renderables.canvas.cells import Cells, shorten, text_width
from dtui.tui.renderables.canvas.frame import Frame
from dtui.tui.renderables.canvas.palettes import label_colour, share_colours
from dtui.tui.renderables.canvas.primitives import paint_pixels, quantise, resample
from dtui.tui.renderables.parts.chrome import draw_header, draw_legend, draw_stages, draw_thumb, select_gutter
from dtui.tui.renderables.parts.picture import Picture
from dtui.tui.renderables.parts.words.class_names import bare_name, telling_name

TITLE = "Confusion"
ROW_WORDS = " · true → taken for, images more or fewer"
LEGEND_CELLS = 45
"""Columns of the legend with its name."""


@dataclass(frozen=True, eq=False, slots=True)
class PairShares:
    """The share of a class that was taken for another over time.

    Attributes:
        axis: The columns.
        pairs: True and predicted labels.
        values: Shape (pairs, columns), [0, 1]; NaN where the class was not judged.
    """

    axis: TimeAxis
    pairs: tuple[tuple[int, int], ...]
    values: FloatArray


@dataclass(frozen=True, slots=True)
class PairsPicture(Picture):
    """A row for each confusion, those that changed most first.

    Attributes:
        changed: All, in order.
        top: Index of the first on screen.
        selected: Index of the selected one; -1 for none.
        shares: Over any axis; None while they load.
        classes: Names by label; data from outside.
        title: Words beside the pane's name.
        stages: Learning-rate stages, dashed verticals.
    """

    changed: Sequence[ConfusionChange]
    top: int
    selected: int
    shares: PairShares | None
    classes: tuple[str, ...]
    title: str = ""
    stages: tuple[Stage, ...] = ()
    crosshair = True

    def draw(self, frame: Frame, iteration: int | None = None) -> Cells:
        """Draw header and rows."""
        cells, theme = Cells(frame.width, frame.height, frame.theme), frame.theme
        x = draw_header(cells, frame, TITLE, max(0, frame.width - 1))
        colours = share_colours(frame.theme, frame.output)
        title = self.title
        if self.changed and x + text_width(title + ROW_WORDS) + LEGEND_CELLS < frame.width:
            title += ROW_WORDS
        stop = draw_legend(cells, frame, colours, "0", "100%", "share of the class", left=x + 3 + text_width(title))
        cells.text(x + 2, 0, title, theme.muted, limit=max(0, stop - x - 3))
        shown = self.changed[self.top : self.top + max(0, frame.height - 1)]
        if not self.changed:
            cells.text(2, 1, "no image of any class is taken for another, or more or less than before", theme.muted)
        for y, change in enumerate(shown, 1):
            self._draw_row(cells, frame, change, y)
        draw_thumb(cells, frame, self.top, len(shown), len(self.changed))
        draw_stages(cells, frame, self.stages, 1, frame.height)
        return cells

    def _draw_row(self, cells: Cells, frame: Frame, change: ConfusionChange, y: int) -> None:
        theme, is_selected = frame.theme, self.top + y - 1 == self.selected
        if is_selected:
            select_gutter(cells, frame, y)
        count, right = round(change.count), frame.gutter - 2
        words = f"{count:+,}".replace("-", "−")
        with_shares = f"{change.before:.0%} → {change.after:.0%}  {words:>5}"
        if text_width(with_shares + pair_name(self.classes, change.target, change.label, 999)) + 4 <= right:
            words = with_shares
        colour = theme.lost if count > 0 else theme.gained
        cells.text(right - text_width(words), y, words, colour if count else theme.muted)
        room = max(4, right - text_width(words) - 3)
        bright = theme.bright if is_selected else theme.text
        name = pair_name(self.classes, change.target, change.label, room)
        cells.text(2, y, name, bright, bold=is_selected)
        second = name.rpartition("→")[2].lstrip()
        x = 2 + text_width(name) - text_width(second)
        cells.text(x, y, second, label_colour(theme, change.label), bold=is_selected)
        if self.shares is None or frame.axis is None or frame.plot_width < 1:
            return
        pair = (change.target, change.label)
        if pair in self.shares.pairs:
            values = self.shares.values[self.shares.pairs.index(pair)]
            axis = frame.axis.with_columns(frame.plot_width)
            colours = share_colours(frame.theme, frame.output)
            steps = quantise(resample(values, self.shares.axis, axis), len(colours))
            paint_pixels(cells, frame.gutter, y, np.stack([steps, steps]), colours, frame.output)


def pair_name(classes: Sequence[str], target: int, label: int, room: int) -> str:
    """Return a confusion in at most `room` columns, such as "4 → 9". Harmless to show.

    Where they have no room, words that all names share are left out first; then both names are cut alike.
    """
    first, second = bare_name(classes, target), bare_name(classes, label)
    if text_width(first + second) + 1 > room:
        first, second = telling_name(classes, target), telling_name(classes, label)
    arrow = " → " if text_width(first + second) + 3 <= room else "→"
    left = room - text_width(arrow)
    half = max(1, left // 2)
    first = shorten(first, max(half, left - text_width(second)))
    return first + arrow + shorten(second, max(1, left - text_width(first)))
