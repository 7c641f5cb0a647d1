"""Draws the filters pane: one pixel row per filter, one column per stretch of iterations."""

from __future__ import annotations

from dataclasses import field

import numpy as np

from dtui.dataclass_on_use import dataclass
from dtui.model import Heatmap
from dtui.model.layers import ACTIVATION_COLUMNS
from dtui.number_text import counted
from dtui.safe_text import safe
from dtui.tui.renderables.canvas.cells import Cells, shorten_left, text_width
from dtui.tui.renderables.canvas.frame import Frame, Region
from dtui.tui.renderables.canvas.palettes import value_colours
from dtui.tui.renderables.canvas.primitives import paint_pixels, quantise, resample
from dtui.tui.renderables.panes.layers.filters_gutter import (
    NUMBER_CELLS,
    READOUT_CELLS,
    FiltersLook,
    draw_heads,
    draw_numbers,
    draw_profile,
    exact_value,
    foot_rows,
    value_at,
    write_words,
)
from dtui.tui.renderables.panes.layers.tree_words import fitting
from dtui.tui.renderables.parts.chrome import (
    NONFINITE_WORDS,
    draw_header,
    draw_legend,
    mark_absent,
    mark_nonfinite,
    number,
)
from dtui.tui.renderables.parts.picture import Picture
from dtui.tui.renderables.parts.pixel_rows import PixelRows

TITLE = "Filters"
LEGEND_CELLS = 9
"""Columns of the shortest ramp of a legend and the blanks around it, without the words at its ends."""


@dataclass(frozen=True, slots=True)
class FiltersPicture(Picture):
    """Filters by iterations in half blocks, under a header with legend; the gutter shows the values at the cursor.

    Attributes:
        heatmap: Over any axis; its pixels are those of `filter_pixels(frame.height)`.
        selected: Selected row in sorted order.
        look: Names and title.
        now: The exact value of a filter at an iteration; used if these are the selected one and the cursor.
    """

    heatmap: Heatmap
    selected: int
    look: FiltersLook
    now: Heatmap | None = field(default=None, compare=False)
    crosshair = True

    @property
    def readout_of(self) -> object:
        """The exact value at the cursor."""
        return self.now

    def draw(self, frame: Frame, iteration: int | None = None) -> Cells:
        """Draw header, pixels, row numbers, marks and readout."""
        cells, heatmap = Cells(frame.width, frame.height, frame.theme), self.heatmap
        _draw_filters_header(cells, frame, heatmap, self.look)
        if frame.axis is None or frame.plot_width < 1 or frame.height < 2:
            return cells
        axis = frame.axis.with_columns(frame.plot_width)
        place = place_of(heatmap, frame.height)
        colours = value_colours(frame.theme, frame.output)
        shades = resample(heatmap.shades, heatmap.request.axis, axis)
        steps = place.expand(quantise(shades, len(colours)))
        paint_pixels(cells, frame.gutter, 1, steps, colours, frame.output)
        mark_absent(cells, frame, (steps[0::2] < 0) & (steps[1::2] < 0))
        if heatmap.nonfinite is not None:
            counted = place.expand(resample(heatmap.nonfinite.astype(np.int64), heatmap.request.axis, axis)) > 0
            mark_nonfinite(cells, frame, counted[0::2] | counted[1::2])
        if foot_rows(frame.height):
            line = fitting(
                [f"{safe(self.look.node)}: {words}" for words in self.look.standing], max(0, frame.width - 2)
            )
            colour = frame.theme.warning if self.look.stands_out else frame.theme.muted
            cells.text(1, frame.height - 1, line, colour, limit=max(0, frame.width - 2))
        self.write_readout(cells, frame, iteration)
        return cells

    def write_readout(self, cells: Cells, frame: Frame, iteration: int | None) -> None:
        """Rewrite the gutter: the cross-section at the cursor, the selected filter and its value, marks, numbers."""
        _, top, width, height = filters_readout_region(frame)
        if width < NUMBER_CELLS or height < 1:
            return
        theme, heatmap, look = frame.theme, self.heatmap, self.look
        cells.clear(0, top, width, height)
        cells.bg[top:, :width] = theme.panel
        cells.mark[top:, :width] = 0
        place = place_of(heatmap, frame.height)
        chosen_y = place.y_of(self.selected)
        if chosen_y is not None:
            cells.bg[chosen_y, :width] = theme.selection
            cells.mark[chosen_y, :width] = 1
        column = frame.column_of(iteration)
        if frame.gutter >= READOUT_CELLS + NUMBER_CELLS + 4 and column is not None:
            draw_profile(cells, frame, heatmap, place, column)
        draw_numbers(cells, frame, heatmap, place, self.selected, look.moving)
        if heatmap.request.sort == "index":
            draw_heads(cells, frame, heatmap, place, self.selected, look)
        value = exact_value(self.now, heatmap, self.selected, iteration)
        if value is None:
            value = value_at(frame, heatmap, place, self.selected, column)
        shown = number(value)
        if frame.gutter >= READOUT_CELLS + NUMBER_CELLS:
            write_words(cells, frame, heatmap, self.selected, look, shown)
        elif chosen_y is not None:
            cells.text(1, chosen_y, shown, theme.bright, bold=True, limit=frame.gutter - NUMBER_CELLS - 2)


def filters_readout_region(frame: Frame) -> Region:
    """Return the cells that the readout may change."""
    height = max(0, frame.height - 1 - foot_rows(frame.height))
    return 0, 1, max(0, min(frame.gutter, frame.width)), height


def filter_pixels(height: int) -> int:
    """Return the pixel rows of a pane of `height` rows, >= 1: HeatmapRequest.pixels."""
    return max(1, 2 * (height - 1 - foot_rows(height)))


def place_of(heatmap: Heatmap, height: int) -> PixelRows:
    """Return where the heatmap's filters are in a pane of `height` rows."""
    rows = height - foot_rows(height)
    return PixelRows(heatmap.request.first, heatmap.request.count, len(heatmap.shades), rows)


def _draw_filters_header(cells: Cells, frame: Frame, heatmap: Heatmap, look: FiltersLook) -> None:
    """Write name, node, counts and notes as far as they fit beside the legend; the legend comes before the notes."""
    theme, request = frame.theme, heatmap.request
    x = draw_header(cells, frame, TITLE if look.one == "filter" else "Channels", max(0, frame.gutter - 1))
    counts = f"{heatmap.filters:,} {look.one}s"
    place = place_of(heatmap, frame.height)
    low, high = _legend_words(heatmap, look.one)
    colours = value_colours(frame.theme, frame.output)
    notes = [look.title]
    if request.within is not None and (head := look.head_of(request.within[0])) is not None:
        notes.insert(0, head.title)
    against = request.normalise.replace("filter", look.one)
    notes += [f"against the {against}"] if request.normalise != "layer" else []
    notes += [f"by {look.order}"] if request.sort != "index" else []
    if place.per_pixel > 1.01:
        notes.append(f"{place.per_pixel:.1f} {look.one}s/px")
    if heatmap.nonfinite is not None:
        notes.insert(0, NONFINITE_WORDS)
    records = f" × {counted(look.records, look.moment)}"
    everything, least = records + " · ".join(notes), f"   {look.title}"
    behind = text_width(counts + least) + text_width(low + high) + LEGEND_CELLS
    node = _node_words(safe(look.node), max(0, frame.gutter - x - 3), frame.width - behind - x - 4)
    stop = cells.text(x + 2, 0, node, theme.accent)
    begin = frame.gutter if stop < frame.gutter else stop + 2
    for words, room in ((everything, 5), (least, 1), ("", 1)):
        stop = draw_legend(cells, frame, colours, low, high, left=begin + text_width(counts + words) + room)
        if stop < frame.width:
            break
    end = cells.text(begin, 0, counts, theme.text, limit=max(0, stop - begin - 1))
    of_all, of_least = end + text_width(records), end + text_width(least)
    if of_all + text_width(least) < stop - 1 or of_all < stop - 1 <= of_least:  # what is shown comes first
        end = cells.text(end, 0, records, theme.text)
    separator = "   "
    for note in notes:
        if note and end + len(separator) + text_width(note) < stop - 1:
            end = cells.text(end, 0, separator + note, theme.muted)
            separator = " · "


def _node_words(node: str, room: int, most: int) -> str:
    """Return a node's name: with its kind or alone in `room` columns, or in `most` if its last part is whole then."""
    name = node.rpartition(" ")[0] or node
    for words in (node, name):
        if text_width(words) <= room:
            return words
    short = shorten_left(name, max(room, most))
    return short if short.endswith(name.rpartition(".")[2]) else shorten_left(name, room)


def _legend_words(heatmap: Heatmap, one: str) -> tuple[str, str]:
    """Return words for the ends of the ramp: the scale's ends, beyond which nothing differs."""
    if np.isfinite(heatmap.scale):
        low = f"≤ {number(heatmap.scale / 10**heatmap.decades)}" if heatmap.decades else "0"
        is_all = heatmap.request.statistic == ACTIVATION_COLUMNS[0] and heatmap.scale >= 1
        return low, "1" if is_all else f"≥ {number(heatmap.scale)}"
    of = {"filter": f"{one}'s max", "iteration": "iteration's max"}.get(heatmap.request.normalise, "max")
    return (f"1e-{heatmap.decades:.0f} of it" if heatmap.decades else "0"), of
