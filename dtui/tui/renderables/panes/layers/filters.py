"""Draws the filters pane: one pixel row per filter, one column per stretch of iterations."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dtui.dataclass_on_use import dataclass
from dtui.model import BoolArray, Heatmap
from dtui.model.layers import ACTIVATION_COLUMNS, AttentionHead, InitialStd
from dtui.safe_text import safe
from dtui.tui.renderables.canvas import marks
from dtui.tui.renderables.canvas.cells import Cells, text_width
from dtui.tui.renderables.canvas.frame import Frame, Region
from dtui.tui.renderables.canvas.marks import Mark
from dtui.tui.renderables.canvas.palettes import value_colours
from dtui.tui.renderables.canvas.primitives import paint_pixels, quantise, resample, shading_colours
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
NUMBER_CELLS = 8
"""Columns at the gutter's right end for filter numbers, the selected row's arrow and marks."""

LEAST_FOR_LIST = 6
"""From so many rows on the pane has a list of what stands out at its foot."""

READOUT_CELLS = 17
"""Columns at the gutter's left end for the readout, where the gutter has room for it."""


@dataclass(frozen=True, slots=True)
class FiltersLook:
    """Names and words of the filters pane.

    Attributes:
        node: Name of the layer or module; data from outside.
        title: What is shown, such as "cosine distance".
        records: Number of records in the run, or of what else the values are of.
        layer_names: Layer index to name, for a module with several layers; data from outside.
        order: The order of the rows, in words.
        moving: Filters of the node that are still moving.
        standing: What stands out among its filters, for the line at the foot, ever shorter ones; data from outside.
        stands_out: Whether anything does.
        moments: What the values are of, such as "records".
        heads: The attention heads that filters of the layer make.
        starts: Where its weights would start; None where that is not shown.
        one: What a row is: "filter", or "channel" of a normalisation layer.
    """

    node: str
    title: str
    records: int
    layer_names: tuple[str, ...] = ()
    order: str = "index"
    moving: frozenset[int] = frozenset()
    standing: tuple[str, ...] = ()
    stands_out: bool = False
    moments: str = "records"
    heads: tuple[AttentionHead, ...] = ()
    starts: InitialStd | None = None
    one: str = "filter"

    def head_of(self, filter: int) -> AttentionHead | None:
        """Return the attention head that a filter belongs to; None if it belongs to none."""
        return next((head for head in self.heads if head.first <= filter < head.stop), None)


@dataclass(frozen=True, slots=True)
class FiltersPicture(Picture):
    """Filters by iterations in half blocks, under a header with legend; the gutter shows the values at the cursor.

    Attributes:
        heatmap: Over any axis; its pixels are those of `filter_pixels(frame.height)`.
        selected: Selected row in sorted order.
        look: Names and title.
    """

    heatmap: Heatmap
    selected: int
    look: FiltersLook
    crosshair = True

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

    def _flags(self) -> Sequence[tuple[Mark, BoolArray]]:
        """Return the marks of rows: each with the flag of each row."""
        moving = np.isin(self.heatmap.order, list(self.look.moving))
        return ((marks.DEAD, self.heatmap.dead), (marks.MOVING, moving), (marks.LATE, self.heatmap.late))

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
            _draw_profile(cells, frame, heatmap, place, column)
        _draw_numbers(cells, frame, heatmap, place, self.selected, self._flags())
        if heatmap.request.sort == "index":
            _draw_heads(cells, frame, heatmap, place, self.selected, look)
        value = _value_at(frame, heatmap, place, self.selected, column)
        shown = number(value)
        if frame.gutter >= READOUT_CELLS + NUMBER_CELLS:
            _write_words(cells, frame, heatmap, self.selected, look, shown)
        elif chosen_y is not None:
            cells.text(1, chosen_y, shown, theme.bright, bold=True, limit=frame.gutter - NUMBER_CELLS - 2)


def filters_readout_region(frame: Frame) -> Region:
    """Return the cells that the readout may change."""
    height = max(0, frame.height - 1 - foot_rows(frame.height))
    return 0, 1, max(0, min(frame.gutter, frame.width)), height


def foot_rows(height: int) -> int:
    """Return the rows under the pixels in a pane of `height` rows: a list of what stands out."""
    return int(height >= LEAST_FOR_LIST)


def filter_pixels(height: int) -> int:
    """Return the pixel rows of a pane of `height` rows, >= 1: HeatmapRequest.pixels."""
    return max(1, 2 * (height - 1 - foot_rows(height)))


def place_of(heatmap: Heatmap, height: int) -> PixelRows:
    """Return where the heatmap's filters are in a pane of `height` rows."""
    rows = height - foot_rows(height)
    return PixelRows(heatmap.request.first, heatmap.request.count, len(heatmap.shades), rows)


def _draw_profile(cells: Cells, frame: Frame, heatmap: Heatmap, place: PixelRows, column: int) -> None:
    """Draw the cross-section at the cursor: a bar for each terminal row, growing to the left from the numbers."""
    assert frame.axis is not None
    raw = resample(heatmap.shades, heatmap.request.axis, frame.axis.with_columns(frame.plot_width))
    profile = place.profile(raw[:, column - frame.gutter])
    right = frame.gutter - NUMBER_CELLS
    width = min(8, right - READOUT_CELLS - 1)
    colours = value_colours(frame.theme, frame.output)
    steps = quantise(profile, len(colours))
    top = np.nanmax(profile) if np.isfinite(profile).any() else 0.0
    if top <= 0 or width < 2:
        return
    eighths = np.where(steps < 0, 0, np.rint(np.nan_to_num(profile) / top * width * 8)).astype(np.int64)
    eighths = np.where((steps >= 0) & (eighths == 0), 1, eighths)
    shades = shading_colours(np.maximum(steps, len(colours) // 5), colours, frame.output)
    for index, (length, step) in enumerate(zip(eighths.tolist(), steps.tolist(), strict=True)):
        if step < 0:
            continue
        y, colour = 1 + index, int(shades[index])
        full, part = divmod(length, 8)
        cells.text(right - full, y, "█" * full, colour)
        if part and full < width:
            back = int(cells.bg[y, right - full - 1])
            x = right - full - 1
            if frame.output.has_pixels:
                cells.ch[y, x], cells.fg[y, x], cells.bg[y, x] = 0x2590 - (8 - part), back, colour
            elif part >= 4:
                cells.text(x, y, "▐", colour)


def _draw_numbers(
    cells: Cells,
    frame: Frame,
    heatmap: Heatmap,
    place: PixelRows,
    selected: int,
    flags: Sequence[tuple[Mark, BoolArray]],
) -> None:
    """Write the filter numbers of the first, the last and the selected row, and marks such as those of dead filters.

    A mark is in the terminal row where its filter begins. It is muted if only some of the filters that begin there
    have it.
    """
    theme, order = frame.theme, heatmap.order
    right = frame.gutter - 2
    chosen_y = place.y_of(selected)
    last = min(place.first + place.count, len(order)) - 1
    for row in (place.first, last):
        y = place.y_of(row)
        if y is not None and y != chosen_y and 0 <= row < len(order):
            text = f"{int(order[row]):,}"
            cells.text(right - text_width(text), y, text, theme.muted)
    for y in range(1, frame.height):
        rows = place.rows_in(y)
        if not rows:
            break
        begun = [row for row in rows if place.y_of(row) == y and row < len(order)]
        for mark, flag in flags:
            marked = flag[begun]
            if marked.any():
                is_all = bool(marked.all())
                cells.text(right + 1, y, mark.glyph, mark.of(theme) if is_all else theme.muted, bold=is_all)
                break
    if chosen_y is not None and 0 <= selected < len(order):
        text = f"{int(order[selected]):,}"
        cells.text(right - text_width(text), chosen_y, text, theme.flag, bold=True)
        cells.text(right, chosen_y, marks.CHOSEN.glyph, marks.CHOSEN.of(theme))


def _draw_heads(
    cells: Cells, frame: Frame, heatmap: Heatmap, place: PixelRows, selected: int, look: FiltersLook
) -> None:
    """Write the name of each attention head, such as "q3", where its filters begin and there is no number."""
    theme, right = frame.theme, frame.gutter - 2
    row_of = {int(filter): row for row, filter in enumerate(heatmap.order)} if look.heads else {}
    last = min(place.first + place.count, len(heatmap.order)) - 1
    taken = {place.y_of(row) for row in (place.first, last, selected)}
    for head in look.heads:
        row = row_of.get(head.first)
        y = None if row is None else place.y_of(row)
        if y is None or y in taken:
            continue
        taken.add(y)
        text = f"{head.part[0]}{head.head}"
        cells.text(right - text_width(text), y, text, theme.accent)


def _write_words(cells: Cells, frame: Frame, heatmap: Heatmap, selected: int, look: FiltersLook, shown: str) -> None:
    """Write the readout at the gutter's left end: filter, value, dead ones and late starters."""
    theme = frame.theme
    index = int(heatmap.order[selected]) if 0 <= selected < len(heatmap.order) else None
    is_dead = index is not None and bool(heatmap.dead[selected])
    is_late = index is not None and bool(heatmap.late[selected])
    dead, late, moving = int(heatmap.dead.sum()), int(heatmap.late.sum()), len(look.moving)
    is_moving = index in look.moving
    state = "dead" if is_dead else "still moving" if is_moving else "late start" if is_late else ""
    lines = [
        ("", look.one, "" if index is None else f"{index:,}", theme.flag, True),
        ("", "value", shown, theme.bright, True),
        (marks.DEAD.glyph, "dead", f"{dead:,}", marks.DEAD.of(theme) if dead else theme.text, False),
        (marks.MOVING.glyph, "moving", f"{moving:,}", marks.MOVING.of(theme) if moving else theme.text, False),
        (marks.LATE.glyph, "late start", f"{late:,}", marks.LATE.of(theme) if late else theme.text, False),
    ]
    lines = lines if look.one == "filter" else lines[:2]
    top = 2 if frame.height >= 7 else 1
    names = look.layer_names
    if index is not None and names and len(np.unique(heatmap.labels)) > 1:
        layer = int(heatmap.labels[selected])
        if 0 <= layer < len(names):
            lines.insert(0, ("", safe(names[layer]), "", theme.accent, False))
    head = None if index is None else look.head_of(index)
    if head is not None:
        lines.insert(1, ("", head.part, f"head {head.head}", theme.accent, False))
    if look.starts is not None:
        lines[2:2] = [("", f"{who} starts", number(value), theme.muted, False) for who, value in look.starts.told()[:2]]
    room = max(0, frame.height - foot_rows(frame.height) - top)
    for offset, (mark, label, value, colour, bold) in enumerate(lines[:room]):
        y = top + offset
        x = 2
        if mark:
            x = cells.text(x, y, mark, colour, bold=True) + 1
        cells.text(x, y, label, theme.muted if value else colour, limit=READOUT_CELLS - x)
        cells.text(READOUT_CELLS - text_width(value), y, value, colour, bold=bold)
    if state and room > len(lines):
        cells.text(2, top + len(lines), f"it is {state}", theme.warning, limit=READOUT_CELLS - 1)


def _value_at(frame: Frame, heatmap: Heatmap, place: PixelRows, selected: int, column: int | None) -> float:
    """Return the value on screen at the selected filter and the cursor; NaN where there is none."""
    if column is None or frame.axis is None or not place.first <= selected < place.first + place.count:
        return float("nan")
    values = resample(heatmap.values, heatmap.request.axis, frame.axis.with_columns(frame.plot_width))
    pixel = place.made_of(selected)
    return float(values[pixel, column - frame.gutter]) if pixel < len(values) else float("nan")


def _draw_filters_header(cells: Cells, frame: Frame, heatmap: Heatmap, look: FiltersLook) -> None:
    """Write name, node, counts and notes as far as they fit beside the legend; the legend comes before the notes."""
    theme, request = frame.theme, heatmap.request
    x = draw_header(cells, frame, TITLE if look.one == "filter" else "Channels", max(0, frame.gutter - 1))
    cells.text(x + 2, 0, safe(look.node), theme.accent, limit=max(0, frame.gutter - x - 3))
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
    records = f" × {look.records:,} {look.moments}"
    everything, least = records + " · ".join(notes), f"   {look.title}"
    for words, room in ((everything, 5), (least, 1), ("", 1)):
        stop = draw_legend(cells, frame, colours, low, high, left=frame.gutter + text_width(counts + words) + room)
        if stop < frame.width:
            break
    end = cells.text(frame.gutter, 0, counts, theme.text, limit=max(0, stop - frame.gutter - 1))
    of_all, of_least = end + text_width(records), end + text_width(least)
    if of_all + text_width(least) < stop - 1 or of_all < stop - 1 <= of_least:  # what is shown comes first
        end = cells.text(end, 0, records, theme.text)
    separator = "   "
    for note in notes:
        if note and end + len(separator) + text_width(note) < stop - 1:
            end = cells.text(end, 0, separator + note, theme.muted)
            separator = " · "


def _legend_words(heatmap: Heatmap, one: str) -> tuple[str, str]:
    """Return words for the ends of the ramp: the scale's ends, beyond which nothing differs."""
    if np.isfinite(heatmap.scale):
        low = f"≤ {number(heatmap.scale / 10**heatmap.decades)}" if heatmap.decades else "0"
        is_all = heatmap.request.statistic == ACTIVATION_COLUMNS[0] and heatmap.scale >= 1
        return low, "1" if is_all else f"≥ {number(heatmap.scale)}"
    of = {"filter": f"{one}'s max", "iteration": "iteration's max"}.get(heatmap.request.normalise, "max")
    return (f"1e-{heatmap.decades:.0f} of it" if heatmap.decades else "0"), of
