"""The section on error and loss."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from dtui.model import Curves, TimeAxis
from dtui.model.judging import NOT_RIGHT
from dtui.reports.charts import theme
from dtui.reports.charts.curves.rows import Curve, Event
from dtui.reports.charts.ribbon import ribbon_marks
from dtui.reports.document import Chart, Item, Paragraph, Pieces, Section, Spec
from dtui.reports.sections.registry import View, section
from dtui.safe_text import safe

_VALIDATED = "validation error"
ERRORS = (
    ("validation_error", _VALIDATED, theme.VALIDATION, False),
    ("train_error", "train error", theme.TRAIN, True),
)
MOST_PLACES = 5
MOST_SCALARS = 8
_LOSSES = (("loss", "loss", theme.LOSS, False),)


def error_curves(view: View) -> list[Curve]:
    """Return the errors that the run has; where scores decide it has no error, but a share that is not right."""
    curves = chosen_curves(view.query.curves(view.full_axis), ERRORS)
    is_judged = view.info.judging is not None
    return [replace(curve, name=NOT_RIGHT) if is_judged and curve.name == _VALIDATED else curve for curve in curves]


@section("curves", order=30)
def curves_section(view: View) -> Section | None:
    """Return error and loss over the iterations, with stages, known events and anomaly iterations."""
    if view.info.records + view.info.validations == 0:
        return None
    curves = view.query.curves(view.full_axis)
    items: list[Item] = []
    errors = error_curves(view)
    if errors:
        items.append(
            _chart(
                f"{view.prefix}-error",
                f"{' and '.join(curve.name for curve in errors)} over the iterations"
                f"{nonfinite_words(errors, view.full_axis)}; {_counted(len(view.anomalies))} marked.",
                partial(
                    _curve_chart,
                    errors,
                    view.full_axis,
                    unit="share",
                    stages=view.stages,
                    ribbon=ribbon_marks(view.anomalies, view.full_axis, theme.PLOT_WIDTH),
                    events=_events(view),
                ),
            )
        )
    losses = chosen_curves(curves, _LOSSES)
    if losses:
        stages = view.stages if not errors else ()
        specify = partial(_curve_chart, losses, view.full_axis, unit="number", stages=stages)
        description = f"Loss over the iterations{nonfinite_words(losses, view.full_axis)}."
        items.append(_chart(f"{view.prefix}-loss", description, specify))
    items += _others(view, curves)
    if not items:
        return None
    caption = view.of_groups("Error is the share of images judged wrong. ") if errors else ""
    if errors and view.anomalies:
        caption += (
            f"A triangle marks an anomaly iteration: unusually many {view.nouns[0]} of a {view.group} flip at once, "
            "▼ lost or ▲ gained; its size grows with their share. "
        )
    if any(curve.nonfinite is not None for curve in (*errors, *losses)):
        caption += "A red bar is where a curve was NaN or Inf; its line breaks off there. "
    if len(view.stages) > 1:
        caption += "Dashed lines mark a new learning rate (lr)."
    return Section(f"{view.prefix}-curves", "Error, loss and other scalars", caption.strip(), tuple(items))


def _others(view: View, curves: Curves) -> list[Item]:
    """Return a chart for each further scalar: the learning rate first, then by name."""
    shown = {key for key, *_ in (*ERRORS, *_LOSSES)}
    names = [name for name in curves.series if name not in shown]
    names.sort(key=lambda name: (name != "learning_rate", name))
    items: list[Item] = []
    for place, key in enumerate(names[:MOST_SCALARS]):
        name = safe(key.replace("_", " "), 60)
        found = chosen_curves(curves, ((key, name, theme.TRAIN, False),))
        if found:
            specify = partial(_curve_chart, found, view.full_axis, unit="number")
            said = f"{name} over the iterations{nonfinite_words(found, view.full_axis)}."
            items.append(_chart(f"{view.prefix}-scalar{place}", said, specify))
    if len(names) > MOST_SCALARS:
        more = ", ".join(safe(name, 60) for name in names[MOST_SCALARS : MOST_SCALARS + 12])
        items.append(Paragraph(f"{len(names) - MOST_SCALARS:,} more scalars were logged, among them {more}."))
    return items


def _chart(name: str, description: str, specify: Callable[..., Spec]) -> Chart:
    """Return a chart that is drawn anew for paper: the labels of its lines need other room there."""
    paper = partial(specify, width=theme.PAPER_PLOT)
    return Chart(name, "", "vega-lite", specify, description, lambda: (Pieces((paper(),)),))


def _curve_chart(*arguments: Any, **options: Any) -> Spec:
    """Call `curve_chart` only when the chart is drawn, because its module imports Altair."""
    from dtui.reports.charts.curves.chart import curve_chart

    return curve_chart(*arguments, **options)


def chosen_curves(curves: Curves, wanted: tuple[tuple[str, str, str, bool], ...]) -> list[Curve]:
    """Return the wanted curves that the run has."""
    return [
        Curve(name, colour, curves.series[key], curves.extremes.get(key), dashed, curves.nonfinite.get(key))
        for key, name, colour, dashed in wanted
        if key in curves.series and (key in curves.nonfinite or bool(np.isfinite(curves.series[key]).any()))
    ]


def _counted(anomalies: int) -> str:
    return "1 anomaly is" if anomalies == 1 else f"{anomalies:,} anomalies are"


def nonfinite_words(curves: list[Curve], axis: TimeAxis) -> str:
    """Say in words where curves were NaN or Inf: ", NaN or Inf at 21–40 and 50"; "" if nowhere."""
    marked = [curve.nonfinite for curve in curves if curve.nonfinite is not None]
    if not marked:
        return ""
    edges = np.flatnonzero(np.diff(np.logical_or.reduce(marked).astype(np.int8), prepend=0, append=0)).reshape(-1, 2)
    first = np.ceil(axis.first + edges[:, 0] * axis.column_span).astype(np.int64)
    last = np.maximum(np.ceil(axis.first + edges[:, 1] * axis.column_span).astype(np.int64) - 1, first)
    places = [f"{a:,}" if a == b else f"{a:,}–{b:,}" for a, b in zip(first.tolist(), last.tolist(), strict=True)]
    more = f" and {len(places) - MOST_PLACES} more times" if len(places) > MOST_PLACES else ""
    return f", NaN or Inf at iteration {', '.join(places[:MOST_PLACES])}{more}"


def _events(view: View) -> list[Event]:
    """Return the iterations of resumes, and the notes of the run, such as injected faults."""
    events = [Event(join, "resumed") for join in view.info.joins if view.full_axis.contains(join)]
    for note in view.query.metadata().notes:
        iteration = note.get("iteration")
        if isinstance(iteration, (int, float)) and view.full_axis.contains(iteration):
            events.append(Event(int(iteration), safe(str(note.get("kind", "event")).replace("_", " "), 40)))
    return sorted(events, key=lambda event: (event.iteration, event.label))
