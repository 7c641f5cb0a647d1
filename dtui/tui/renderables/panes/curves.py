"""The error curves pane: validation and train error (else loss) over the time axis, with learning-rate stages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field, replace

import numpy as np

from dtui.dataclass_on_use import dataclass
from dtui.model import BoolArray, Curves, FloatArray, Stage
from dtui.model.arrays import median_of
from dtui.model.judging import NOT_RIGHT
from dtui.tui.renderables.canvas.cells import Cells, shorten_middle, text_width
from dtui.tui.renderables.canvas.frame import Frame, Region
from dtui.tui.renderables.canvas.output import ColorMode
from dtui.tui.renderables.canvas.primitives import column_with_data, resample
from dtui.tui.renderables.parts.chrome import (
    NONFINITE_WORDS,
    draw_header,
    draw_joins,
    draw_stages,
    mark_nonfinite,
)
from dtui.tui.renderables.parts.picture import Picture
from dtui.tui.renderables.parts.plotext_adapter import plot_lines
from dtui.tui.renderables.parts.scale import Scale, linear_scale, logarithmic_scale
from dtui.tui.renderables.parts.words.curve_words import JUDGED, SHORT, SHORTER, curve_label, curve_reading

TITLE = "Error"
TITLES = {"loss": "Loss", "learning_rate": "Learning rate"}
"""Of curves that dtui names; the others bear the names that the training logs."""
MOST_CURVES = 4
LABEL_CELLS = 7
"""Columns at the gutter's right end for the labels of the value axis."""


@dataclass(frozen=True, eq=False, slots=True)
class CursorValues:
    """Every curve's last value at or before an iteration."""

    iteration: int
    values: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class CurvesPicture(Picture):
    """Error curves with axis labels and stages; the gutter has every curve's value at the cursor.

    Attributes:
        curves: Over any axis: errors in [0, 1]; where the run has none, its loss on its own scale.
        stages: Learning-rate stages, dashed verticals.
        log_scale: Whether the y axis is logarithmic.
        values: The exact values at the cursor; None while they load: then the column's values are shown.
        joins: Iterations at which the training was resumed, dashed verticals with a head.
        chosen: Names of the curves to draw, at most MOST_CURVES; empty for the errors, or else the loss. Errors share
            the scale at the left; every other curve has a scale of its own, written at the right.
        is_judged: Whether scores decide what is right: then the error is the share that is not right.
    """

    curves: Curves
    stages: tuple[Stage, ...] = ()
    log_scale: bool = False
    values: CursorValues | None = field(default=None, compare=False)
    joins: tuple[int, ...] = ()
    chosen: tuple[str, ...] = ()
    is_judged: bool = False
    crosshair = True

    @property
    def plotted(self) -> list[str]:
        """The names of the curves to draw, the most important first."""
        return [name for name in self.chosen if name in self.curves.series][:MOST_CURVES] or _plotted(self.curves)

    @property
    def readout_of(self) -> object:
        """The exact values at the cursor."""
        return self.values

    def draw(self, frame: Frame, iteration: int | None = None) -> Cells:
        """Draw curves and readout."""
        cells, curves = Cells(frame.width, frame.height, frame.theme), self.curves
        names = self.plotted
        title = _title(curves, names, self.is_judged)
        draw_header(cells, frame, title, max(0, frame.gutter - 1))
        rows, columns = frame.height - 1, frame.plot_width
        if rows < 1 or columns < 2 or frame.axis is None:
            return cells
        points = {name: _two_points(curves, name, frame) for name in names}
        scales = _scales(points, self.log_scale)
        heights = [scales[name].shares(points[name]) for name in reversed(names)]
        colours = [_colour(frame, name, names) for name in reversed(names)]
        is_plain = frame.output.mode is ColorMode.NONE
        ch, fg = plot_lines(heights, colours, 0.0, 1.0, columns, rows, frame.theme.panel, is_plain)
        cells.paste(frame.gutter, 1, ch, fg)
        _mark_bad_columns(cells, frame, curves, names, text_width(title) + 3)
        if names:
            _draw_labels(cells, frame, scales[names[0]], rows)
        _draw_own_scales(cells, frame, curves, names, scales)
        _draw_stage_labels(cells, frame, self.stages)
        draw_joins(cells, frame, self.joins)
        draw_stages(cells, frame, self.stages, 0, frame.height)
        self.write_readout(cells, frame, iteration)
        return cells

    def write_readout(self, cells: Cells, frame: Frame, iteration: int | None) -> None:
        """Rewrite the values at the cursor."""
        short = JUDGED if self.is_judged else SHORT
        _write_values(cells, frame, _with_values(self, frame, iteration), self.plotted, iteration, short)


def _with_values(picture: CurvesPicture, frame: Frame, iteration: int | None) -> Curves:
    """Return the curves with the exact values in the cursor's column, also while the curves are of another screen."""
    x, values, curves = frame.column_of(iteration), picture.values, picture.curves
    if x is None or values is None or values.iteration != iteration or frame.axis is None:
        return curves
    axis, series = frame.axis.with_columns(frame.plot_width), {}
    for name, column_values in curves.series.items():
        series[name] = np.array(resample(column_values, curves.axis, axis))
        series[name][x - frame.gutter] = values.values.get(name, np.nan)
    nonfinite = {name: _nonfinite_of(curves, name, frame) for name in curves.nonfinite}
    return replace(curves, axis=axis, series=series, nonfinite=nonfinite)


def _write_values(
    cells: Cells,
    frame: Frame,
    curves: Curves,
    plotted: Sequence[str],
    iteration: int | None,
    short: Mapping[str, str],
) -> None:
    """Rewrite the readout in the gutter: every curve's value at the cursor."""
    x, top, width, height = curves_readout_region(frame)
    if width < 6 or height < 1:
        return
    theme = frame.theme
    cells.clear(x, top, width, height)
    others = [name for name in ("loss", "learning_rate") if name in curves.series and name not in plotted]
    others += sorted(name for name in curves.series if name not in plotted and name not in others)
    wide = width >= 18
    column = None if frame.axis is None else frame.column_of(iteration)
    shown_names = [*plotted, *others][:height]
    label_of = {name: curve_label(curves.series, name, short if wide else SHORTER) for name in shown_names}
    longest = max(map(text_width, label_of.values()), default=0)
    room = max(8, min(longest, width - 11)) if wide else 4
    for row, name in enumerate(shown_names):
        value = np.nan
        if column is not None and frame.axis is not None:
            series = resample(curves.series[name], curves.axis, frame.axis.with_columns(frame.plot_width))
            bad = _nonfinite_of(curves, name, frame)
            value = float(series[column_with_data(series, column - frame.gutter, bad)])
        y = top + row
        if wide and name in plotted:
            is_broken = frame.output.mode is ColorMode.NONE and name != plotted[0]
            cells.text(x, y, "⋯⋯" if is_broken else "━━", _colour(frame, name, plotted))
        label_at = x + 3 if wide else x
        label_colour = theme.muted if wide or name not in plotted else _colour(frame, name, plotted)
        is_bad = column is not None and bool(_nonfinite_of(curves, name, frame)[column - frame.gutter])
        shown = "NaN" if is_bad and np.isnan(value) else curve_reading(name, value)
        right = min(x + width, label_at + room + 8)
        of_label = right - label_at - text_width(shown) - 1 if wide else room  # it has what the value leaves
        cells.text(label_at, y, shorten_middle(label_of[name], of_label), label_colour)
        lead = name == plotted[0] if plotted else False
        colour = theme.warning if is_bad else theme.bright if lead else theme.text
        cells.text(right - text_width(shown), y, shown, colour, bold=lead)


def _mark_bad_columns(cells: Cells, frame: Frame, curves: Curves, names: Sequence[str], at: int) -> None:
    """Cross out the columns in which a curve of the pane, or the loss, was NaN or Inf, and name that curve in row 0."""
    bad = {name: _nonfinite_of(curves, name, frame) for name in dict.fromkeys([*names, "loss"])}
    words_of = ", ".join(curve_label(curves.series, name, SHORT) for name, where in bad.items() if where.any())
    if words_of:
        is_last_row = np.arange(frame.height - 1)[:, None] == frame.height - 2
        mark_nonfinite(cells, frame, is_last_row & np.logical_or.reduce(list(bad.values())))
        words = NONFINITE_WORDS.replace(" ", f" {words_of} ", 1)
        cells.text(at, 0, words, frame.theme.warning, limit=max(0, frame.gutter - at - 1))


def _nonfinite_of(curves: Curves, name: str, frame: Frame) -> BoolArray:
    """Return the columns in which a curve was NaN or Inf, shape (columns,)."""
    if name not in curves.nonfinite or frame.axis is None:
        return np.zeros(frame.plot_width, dtype=np.bool_)
    axis = frame.axis.with_columns(frame.plot_width)
    found: BoolArray = resample(curves.nonfinite[name].astype(np.float64), curves.axis, axis) > 0
    return found


def curves_readout_region(frame: Frame) -> Region:
    """Return the cells that the readout may change."""
    top = 2 if frame.height >= 6 else 1
    x = 2 if frame.gutter >= 28 else 1
    return x, top, max(0, min(frame.gutter, frame.width) - LABEL_CELLS - x), max(0, frame.height - top)


def _plotted(curves: Curves) -> list[str]:
    """Return the names of the curves to plot, the most important first."""
    errors = [name for name in ("validation_error", "train_error") if name in curves.series]
    if errors:
        return errors
    return ["loss"] if "loss" in curves.series else []


def _title(curves: Curves, names: Sequence[str], is_judged: bool) -> str:
    if not names or all(name.endswith("_error") for name in names):
        return NOT_RIGHT.capitalize() if is_judged else TITLE
    return "Curves" if len(names) > 1 else TITLES.get(names[0]) or curve_label(curves.series, names[0], {})


def _scales(points: Mapping[str, FloatArray], is_log: bool) -> dict[str, Scale]:
    """Return a scale for each curve: one for all errors, and one for each of the others."""
    errors = [values for name, values in points.items() if _is_share(name)]
    shared = _scale(np.concatenate(errors), is_log, True) if errors else None
    return {
        name: shared if shared is not None and _is_share(name) else _scale(values, is_log, False)
        for name, values in points.items()
    }


def _scale(values: FloatArray, is_log: bool, is_share: bool) -> Scale:
    return (
        logarithmic_scale(values, is_share) if is_log else linear_scale(values, is_share, 1.0 if is_share else np.inf)
    )


def _is_share(name: str) -> bool:
    return name in ("validation_error", "train_error")


def _draw_own_scales(
    cells: Cells, frame: Frame, curves: Curves, names: Sequence[str], scales: Mapping[str, Scale]
) -> None:
    """Write the range of each curve that the labels at the left do not hold for, in its colour, at the right."""
    y = 1
    for name in names[1:]:
        if scales[name] is scales[names[0]] or y >= frame.height:
            continue
        low, high = scales[name].ticks[0][1], scales[name].ticks[-1][1]
        words = f"{curve_label(curves.series, name, SHORT)} {low} to {high}"
        begin = frame.width - 1 - text_width(words)
        if begin > frame.gutter:
            cells.text(begin, y, words, _colour(frame, name, names))
            y += 1


def _colour(frame: Frame, name: str, plotted: Sequence[str]) -> int:
    theme = frame.theme
    if name == "train_error":
        return theme.train
    others = [other for other in plotted if other != "train_error"]
    colours = (theme.validation, theme.gained, theme.module, theme.layer)
    return colours[others.index(name) % len(colours)] if name in others else theme.validation


def _two_points(curves: Curves, name: str, frame: Frame) -> FloatArray:
    """Return two points per column, shape (2 * columns,): its value, and its extreme if a burst stands out.

    Noise alone separates the extremes of a column, and drawing them would thicken the line to a band. So an extreme is
    drawn only if it is clearly outside the noise (four times the usual distance).
    """
    assert frame.axis is not None
    axis = frame.axis.with_columns(frame.plot_width)
    values = resample(np.asarray(curves.series[name], np.float64), curves.axis, axis)
    values = np.where(np.isinf(values), np.nan, values)
    if name not in curves.extremes:
        return np.repeat(values, 2)
    extremes = resample(np.asarray(curves.extremes[name], np.float64), curves.axis, axis)
    distances = np.where(np.isfinite(extremes), np.abs(extremes - values), np.nan)
    known = np.isfinite(distances)
    usual = median_of(distances[known]) if known.any() else 0.0
    filled = np.where(known, distances, -1.0)
    farthest = np.take_along_axis(extremes, filled.argmax(0)[None], 0)[0]
    burst = np.where(filled.max(0) > max(4 * usual, 1e-12), farthest, values)
    joined: FloatArray = np.stack([burst, values], 1).reshape(-1)
    return joined


def _draw_labels(cells: Cells, frame: Frame, scale: Scale, rows: int) -> None:
    """Write the tick labels right of the readout; if there are few rows, only those that do not touch."""
    last = frame.height + 1
    for share, label in scale.ticks:
        y = 1 + round((1 - share) * (rows - 1))
        if last - y < 1 or (share not in (0.0, 1.0) and (y == 1 or rows < 4)):
            continue
        last = y
        if frame.gutter >= LABEL_CELLS:
            cells.text(frame.gutter - 1 - len(label), y, label, frame.theme.muted)
        cells.text(frame.gutter - 1, y, "┤", frame.theme.faint)


def _draw_stage_labels(cells: Cells, frame: Frame, stages: Sequence[Stage]) -> None:
    """Write each stage's learning rate behind its vertical, leaving out those that would touch the one before."""
    axis = frame.axis
    if axis is None:
        return
    begun = [stage for stage in stages if stage.iteration <= axis.first]
    free = frame.gutter
    if begun:
        free = _label_stage(cells, frame, begun[-1], frame.gutter, free)
    for stage in stages:
        x = frame.column_of(stage.iteration)
        if stage.iteration > axis.first and x is not None:
            free = _label_stage(cells, frame, stage, x, free)


def _label_stage(cells: Cells, frame: Frame, stage: Stage, x: int, free: int) -> int:
    label = f"lr {stage.learning_rate:.3g}"
    if x < free or x + 1 + len(label) > frame.width:
        return free
    return cells.text(x + 1, 0, label, frame.theme.muted) + 1
