"""Draws the gutter of the filters pane: the selected filter in words, a cross-section, numbers and marks of rows."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from dtui.dataclass_on_use import dataclass
from dtui.model import BoolArray, FloatArray, Heatmap
from dtui.model.layers import AttentionHead, InitialStd
from dtui.safe_text import safe
from dtui.tui.renderables.canvas import marks
from dtui.tui.renderables.canvas.cells import Cells, text_width
from dtui.tui.renderables.canvas.frame import Frame
from dtui.tui.renderables.canvas.marks import Mark
from dtui.tui.renderables.canvas.palettes import value_colours
from dtui.tui.renderables.canvas.primitives import column_with_data, quantise, resample, shading_colours
from dtui.tui.renderables.parts.chrome import number
from dtui.tui.renderables.parts.pixel_rows import PixelRows

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
        untold: What of "dead", "moving" and "late start" is not known.
        moment: What a value is of, such as "record".
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
    untold: frozenset[str] = frozenset()
    moment: str = "record"
    heads: tuple[AttentionHead, ...] = ()
    starts: InitialStd | None = None
    one: str = "filter"

    def head_of(self, filter: int) -> AttentionHead | None:
        """Return the attention head that a filter belongs to; None if it belongs to none."""
        return next((head for head in self.heads if head.first <= filter < head.stop), None)


def foot_rows(height: int) -> int:
    """Return the rows under the pixels in a pane of `height` rows: a list of what stands out."""
    return int(height >= LEAST_FOR_LIST)


def draw_profile(cells: Cells, frame: Frame, heatmap: Heatmap, place: PixelRows, column: int) -> None:
    """Draw the cross-section at the cursor: a bar for each terminal row, growing to the left from the numbers."""
    assert frame.axis is not None
    raw = resample(heatmap.shades, heatmap.request.axis, frame.axis.with_columns(frame.plot_width))
    profile = place.profile(raw[:, _known_column(frame, heatmap, raw, column)])
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


def draw_numbers(
    cells: Cells,
    frame: Frame,
    heatmap: Heatmap,
    place: PixelRows,
    selected: int,
    moving: frozenset[int],
) -> None:
    """Write the filter numbers of the first, the last and the selected row, and marks such as those of dead filters.

    A mark is in the terminal row where its filter begins. It is muted if only some of the filters that begin there
    have it. `moving` holds the filters that still move.
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
    for y, mark, is_all in _marks_of(heatmap, place, moving):
        cells.text(right + 1, y, mark.glyph, mark.of(theme) if is_all else theme.muted, bold=is_all)
    if chosen_y is not None and 0 <= selected < len(order):
        text = f"{int(order[selected]):,}"
        cells.text(right - text_width(text), chosen_y, text, theme.flag, bold=True)
        cells.text(right, chosen_y, marks.CHOSEN.glyph, marks.CHOSEN.of(theme))


@lru_cache(maxsize=4)
def _marks_of(heatmap: Heatmap, place: PixelRows, moving: frozenset[int]) -> tuple[tuple[int, Mark, bool], ...]:
    """Return terminal row, mark, and whether all filters that begin there have it; kept while the cursor moves."""
    is_moving = np.isin(heatmap.order, list(moving))
    flags = ((marks.DEAD, heatmap.dead), (marks.MOVING, is_moving), (marks.LATE, heatmap.late))
    ys, found = place.ys()[: max(0, len(heatmap.order) - place.first)], []
    for y in np.unique(ys).tolist():
        begun = place.first + np.flatnonzero(ys == y)
        first = next(((mark, flag[begun]) for mark, flag in flags if flag[begun].any()), None)
        if first is not None:
            found.append((y, first[0], bool(first[1].all())))
    return tuple(found)


def draw_heads(
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


def write_words(cells: Cells, frame: Frame, heatmap: Heatmap, selected: int, look: FiltersLook, shown: str) -> None:
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
    ]
    counts = ((marks.DEAD, "dead", dead), (marks.MOVING, "moving", moving), (marks.LATE, "late start", late))
    for mark, label, count in counts if look.one == "filter" else ():
        told = f"{count:,}" if count or label not in look.untold else "·"
        lines.append((mark.glyph, label, told, mark.of(theme) if count else theme.text, False))
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
    for offset, (glyph, label, value, colour, bold) in enumerate(lines[:room]):
        y = top + offset
        x = 2
        if glyph:
            x = cells.text(x, y, glyph, colour, bold=True) + 1
        cells.text(x, y, label, theme.muted if value else colour, limit=READOUT_CELLS - x)
        cells.text(READOUT_CELLS - text_width(value), y, value, colour, bold=bold)
    if state and room > len(lines):
        cells.text(2, top + len(lines), f"it is {state}", theme.warning, limit=READOUT_CELLS - 1)


def exact_value(now: Heatmap | None, heatmap: Heatmap, selected: int, iteration: int | None) -> float | None:
    """Return the exact value of the selected filter at the cursor; None until it is known, or where there is none."""
    if now is None or not len(now.values) or not np.isfinite(now.values[0, 0]):
        return None
    asked, shown = now.request, heatmap.request
    same = ("node", "statistic", "sort", "lead", "within", "norm")
    is_same = all(getattr(asked, name) == getattr(shown, name) for name in same)
    is_here = asked.axis.first == iteration and asked.first == selected
    return float(now.values[0, 0]) if is_same and is_here else None


def value_at(frame: Frame, heatmap: Heatmap, place: PixelRows, selected: int, column: int | None) -> float:
    """Return the value on screen at the selected filter and the cursor; NaN where there is none."""
    if column is None or frame.axis is None or not place.first <= selected < place.first + place.count:
        return float("nan")
    values = resample(heatmap.values, heatmap.request.axis, frame.axis.with_columns(frame.plot_width))
    pixel = place.made_of(selected)
    return float(values[pixel, _known_column(frame, heatmap, values, column)]) if pixel < len(values) else float("nan")


def _known_column(frame: Frame, heatmap: Heatmap, values: FloatArray, column: int) -> int:
    """Return the column of some values over the time axis that the cursor reads, as `column_with_data` does."""
    bad: BoolArray | None = None
    if heatmap.nonfinite is not None and frame.axis is not None:
        axis = frame.axis.with_columns(frame.plot_width)
        bad = np.any(resample(heatmap.nonfinite.astype(np.int64), heatmap.request.axis, axis) > 0, axis=0)
    return column_with_data(values, column - frame.gutter, bad)
