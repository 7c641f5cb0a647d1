"""Draws the filters pane: one pixel row per filter, one column per stretch of iterations."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dtui.model import FloatArray, Heatmap
from dtui.safe_text import safe
from dtui.tui.renderables.canvas.cells import Cells, text_width
from dtui.tui.renderables.canvas.frame import Frame, Region
from dtui.tui.renderables.canvas.palettes import ramp
from dtui.tui.renderables.canvas.primitives import paint_pixels, quantise, resample, shading_colours
from dtui.tui.renderables.parts.chrome import NONFINITE_WORDS, draw_header, draw_legend, mark_nonfinite, number
from dtui.tui.renderables.parts.picture import Picture
from dtui.tui.renderables.parts.pixel_rows import PixelRows

TITLE = "Filters"
NUMBER_CELLS = 8
"""Columns at the gutter's right end for filter numbers, the selected row's arrow and marks."""

READOUT_CELLS = 17
"""Columns at the gutter's left end for the readout, where the gutter has room for it."""


@dataclass(frozen=True, slots=True)
class FiltersLook:
    """Names and words of the filters pane.

    Attributes:
        node: Name of the layer or module; data from outside.
        title: What is shown, such as "cosine similarity".
        records: Number of records in the run.
        is_cosine: Whether the values are cosine distances, to be read as similarities (1 - value).
        layer_names: Layer index to name, for a module with several layers; data from outside.
    """

    node: str
    title: str
    records: int
    is_cosine: bool = False
    layer_names: tuple[str, ...] = ()


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
        colours = ramp(frame.theme, "magnitude", frame.output)
        shades = _shown_shades(resample(heatmap.shades, heatmap.request.axis, axis), self.look)
        paint_pixels(cells, frame.gutter, 1, place.expand(quantise(shades, len(colours))), colours, frame.output)
        if heatmap.nonfinite is not None:
            counted = place.expand(resample(heatmap.nonfinite.astype(np.int64), heatmap.request.axis, axis)) > 0
            mark_nonfinite(cells, frame, counted[0::2] | counted[1::2])
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
            _draw_profile(cells, frame, heatmap, place, look, column)
        _draw_numbers(cells, frame, heatmap, place, self.selected)
        value = _value_at(frame, heatmap, place, self.selected, column)
        shown = similarity(value) if look.is_cosine else number(value)
        if frame.gutter >= READOUT_CELLS + NUMBER_CELLS:
            _write_words(cells, frame, heatmap, self.selected, look, shown)
        elif chosen_y is not None:
            cells.text(1, chosen_y, shown, theme.bright, bold=True, limit=frame.gutter - NUMBER_CELLS - 2)


def filters_readout_region(frame: Frame) -> Region:
    """Return the cells that the readout may change."""
    return 0, 1, max(0, min(frame.gutter, frame.width)), max(0, frame.height - 1)


def filter_pixels(height: int) -> int:
    """Return the pixel rows of a pane of `height` rows, >= 1: HeatmapRequest.pixels and ImagesRequest.pixels."""
    return max(1, 2 * (height - 1))


def place_of(heatmap: Heatmap, height: int) -> PixelRows:
    """Return where the heatmap's filters are in a pane of `height` rows."""
    return PixelRows(heatmap.request.first, heatmap.request.count, len(heatmap.shades), height)


def similarity(distance: float) -> str:
    """Return 1 - distance in at most 8 characters that differ from 1, such as 0.9998 or 1−1.4e-8; "·" for no value."""
    if not np.isfinite(distance):
        return number(distance)
    if distance == 0:
        return "1.000"
    if abs(distance) < 1e-5:
        size = f"{abs(distance):.1e}" if abs(distance) > 9.94e-10 else f"{abs(distance):.0e}"
        return f"1{'−' if distance > 0 else '+'}{size}".replace("e-0", "e-")
    digits = int(np.clip(np.ceil(-np.log10(abs(distance))) + 1, 3, 6))
    return f"{1 - distance:.{digits}f}".replace("-", "−")


def _shown_shades(shades: FloatArray, look: FiltersLook) -> FloatArray:
    """Return the shades to show; for a cosine distance its square root, which grows with the angle."""
    return np.sqrt(np.maximum(shades, 0)) if look.is_cosine else shades


def _draw_profile(
    cells: Cells, frame: Frame, heatmap: Heatmap, place: PixelRows, look: FiltersLook, column: int
) -> None:
    """Draw the cross-section at the cursor: a bar for each terminal row, growing to the left from the numbers."""
    assert frame.axis is not None
    raw = resample(heatmap.shades, heatmap.request.axis, frame.axis.with_columns(frame.plot_width))
    profile = _shown_shades(place.profile(raw[:, column - frame.gutter]), look)
    right = frame.gutter - NUMBER_CELLS
    width = min(8, right - READOUT_CELLS - 1)
    colours = ramp(frame.theme, "magnitude", frame.output)
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


def _draw_numbers(cells: Cells, frame: Frame, heatmap: Heatmap, place: PixelRows, selected: int) -> None:
    """Write the filter numbers of the first, the last and the selected row, and the marks of dead and late filters.

    A mark is in the terminal row where its filter begins. It is muted if only some of the filters that begin there are
    dead or late.
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
        for mark, flags, colour in (("×", heatmap.dead, theme.warning), ("○", heatmap.late, theme.gained)):
            marked = flags[begun]
            if marked.any():
                is_all = bool(marked.all())
                cells.text(right + 1, y, mark, colour if is_all else theme.muted, bold=is_all)
                break
    if chosen_y is not None and 0 <= selected < len(order):
        text = f"{int(order[selected]):,}"
        cells.text(right - text_width(text), chosen_y, text, theme.flag, bold=True)
        cells.text(right, chosen_y, "▸", theme.flag)


def _write_words(cells: Cells, frame: Frame, heatmap: Heatmap, selected: int, look: FiltersLook, shown: str) -> None:
    """Write the readout at the gutter's left end: filter, value, dead ones and late starters."""
    theme = frame.theme
    index = int(heatmap.order[selected]) if 0 <= selected < len(heatmap.order) else None
    is_dead = index is not None and bool(heatmap.dead[selected])
    is_late = index is not None and bool(heatmap.late[selected])
    dead, late = int(heatmap.dead.sum()), int(heatmap.late.sum())
    state = "dead" if is_dead else "late start" if is_late else ""
    lines = [
        ("", "filter", "" if index is None else f"{index:,}", theme.flag, True),
        ("", "value", shown, theme.bright, True),
        ("×", "dead", f"{dead:,}", theme.warning if dead else theme.text, False),
        ("○", "late start", f"{late:,}", theme.gained if late else theme.text, False),
    ]
    top = 2 if frame.height >= 7 else 1
    names = look.layer_names
    if index is not None and names and len(np.unique(heatmap.labels)) > 1:
        layer = int(heatmap.labels[selected])
        if 0 <= layer < len(names):
            lines.insert(0, ("", safe(names[layer]), "", theme.accent, False))
    for offset, (mark, label, value, colour, bold) in enumerate(lines[: max(0, frame.height - top)]):
        y = top + offset
        x = 2
        if mark:
            x = cells.text(x, y, mark, colour, bold=True) + 1
        cells.text(x, y, label, theme.muted if value else colour, limit=READOUT_CELLS - x)
        cells.text(READOUT_CELLS - text_width(value), y, value, colour, bold=bold)
    if state and frame.height > top + len(lines):
        cells.text(2, top + len(lines), f"this one is {state}", theme.warning, limit=READOUT_CELLS - 2)


def _value_at(frame: Frame, heatmap: Heatmap, place: PixelRows, selected: int, column: int | None) -> float:
    """Return the value on screen at the selected filter and the cursor; NaN where there is none."""
    if column is None or frame.axis is None or not place.first <= selected < place.first + place.count:
        return float("nan")
    values = resample(heatmap.values, heatmap.request.axis, frame.axis.with_columns(frame.plot_width))
    pixel = (selected - place.first) * place.made // place.count
    return float(values[pixel, column - frame.gutter]) if pixel < len(values) else float("nan")


def _draw_filters_header(cells: Cells, frame: Frame, heatmap: Heatmap, look: FiltersLook) -> None:
    """Write name, node, counts and notes as far as they fit beside the legend; the legend comes before the notes."""
    theme, request = frame.theme, heatmap.request
    x = draw_header(cells, frame, TITLE, max(0, frame.gutter - 1))
    cells.text(x + 2, 0, safe(look.node), theme.accent, limit=max(0, frame.gutter - x - 3))
    counts = f"{heatmap.filters:,} filters"
    place = place_of(heatmap, frame.height)
    low, high = _legend_words(heatmap, look)
    colours = ramp(theme, "magnitude", frame.output)
    notes = [look.title, f"norm {request.normalise}", f"sort {request.sort}"]
    if place.per_pixel > 1.01:
        notes.append(f"{place.per_pixel:.1f} filters/px")
    if heatmap.nonfinite is not None:
        notes.insert(0, NONFINITE_WORDS)
    records = f" × {look.records:,} records"
    everything = frame.gutter + text_width(counts + records + " · ".join(notes)) + 5
    stop = draw_legend(cells, frame, colours, low, high, left=everything)
    if stop == frame.width:
        stop = draw_legend(cells, frame, colours, low, high, left=frame.gutter + len(counts) + 1)
    end = cells.text(frame.gutter, 0, counts, theme.text, limit=max(0, stop - frame.gutter - 1))
    if end + len(records) < stop - 1:
        end = cells.text(end, 0, records, theme.text)
    separator = "   "
    for note in notes:
        if note and end + len(separator) + text_width(note) < stop - 1:
            end = cells.text(end, 0, separator + note, theme.muted)
            separator = " · "


def _legend_words(heatmap: Heatmap, look: FiltersLook) -> tuple[str, str]:
    """Return words for the ends of the ramp; real values if they are the same for all filters."""
    if np.isfinite(heatmap.scale):
        if look.is_cosine:
            return "1.000", similarity(heatmap.scale)
        return "0", number(heatmap.scale)
    of = {"filter": "filter's max", "iteration": "iteration's max"}.get(heatmap.request.normalise, "max")
    return ("1.000" if look.is_cosine else "0"), of
