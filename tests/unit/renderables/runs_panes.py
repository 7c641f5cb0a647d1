"""The pictures of several runs over invented ones, for tests that hold for every pane and for those of their own."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from dtui.model import Cause, Incident, RunStatus
from dtui.model.compare import (
    Alignment,
    Comparison,
    Difference,
    Divergence,
    PairedColumns,
    PairedRows,
    Parting,
    RunList,
    RunRow,
    RunTold,
)
from dtui.model.findings.verdict import Level, Verdict
from dtui.model.views import Curves
from dtui.tui.renderables.canvas.cells import Cells
from dtui.tui.renderables.canvas.frame import Frame
from dtui.tui.renderables.panes.runs.compared_rows import ComparedRowsPicture
from dtui.tui.renderables.panes.runs.comparing import ComparingPicture
from dtui.tui.renderables.panes.runs.picked_run import PickedRunPicture
from dtui.tui.renderables.panes.runs.run_list import RunsPicture
from tests.unit.renderables.builders import axis_of, make_info

MOMENTS = np.arange(0, 1000, 20)
ROWS = 9


def paired(kind: str, measure: str, name: str, fill: float | None = None, rows: int = ROWS) -> PairedRows:
    """Rows whose distance is largest at the row's own moment, the last row's most."""
    random = np.random.default_rng(1)
    a = random.random((rows, len(MOMENTS)))
    distance = np.abs(random.normal(size=a.shape))
    distance[np.arange(rows), np.arange(rows) * 5] = 10 + np.arange(rows)
    if fill is not None:
        a, distance = np.full_like(a, fill), np.full_like(distance, fill)
    names = (name, *(f"layer{row}.conv1" for row in range(1, rows)))
    order = np.arange(rows)[::-1]
    return PairedRows(kind, measure, names, MOMENTS * 1.0, MOMENTS, MOMENTS, a, a * 0.5, distance, order)


def columns(where: Frame, rows: PairedRows, fill: float | None) -> PairedColumns:
    axis = axis_of(where)
    numbers = np.arange(len(rows.names))
    times = np.linspace(0, 6, axis.columns)
    values = 0.5 + 0.4 * np.sin(times[None, :] + numbers[:, None])
    if fill is not None:
        values = np.full_like(values, fill)
    return PairedColumns(axis, tuple(numbers.tolist()), values, values * 0.5, values * 20)


def comparison(name: str, fill: float | None = None) -> Comparison:
    layers = paired("layer", "update ratio", name, fill)
    partings = (
        Parting("class", name, "error", 500, 500, 0.05, 1.0, 30.0),
        Parting("layer", name, "update ratio", 520, 520, 0.1, 0.9, 12.0),
    )
    incident = Incident("i", Cause.CLASS, 500, 520, (), (), (0,), (), f"class {name} broke", 2.0)
    return Comparison(
        infos=(make_info(name), make_info(f"other {name}")),
        alignment=Alignment.ITERATION,
        differences=(Difference("hyper-parameter", name, ("0.1", None)), Difference("version", "torch", ("2.4", name))),
        curves=(paired("curve", "validation_error", name, fill, 1),),
        classes=paired("class", "error", name, fill),
        layers=layers,
        divergences=(Divergence(500, 500, 500, partings, 30.0), Divergence(700, 700, 700, partings[1:], 12.0)),
        same_until=480,
        incidents=((), (incident,)),
        incidents_at=(500,),
        not_compared=(f"layers only in A: {name}", "classes: B has no validations"),
    )


def run_list(name: str, fill: float | None = None) -> RunList:
    live, done = make_info(name, RunStatus.LIVE), make_info("second")
    settings = {("hyper-parameter", name): name, ("hyper-parameter", "lr"): "0.1"}
    number = 0.25 if fill is None else fill
    line = np.full(24, number) if fill is not None else np.linspace(0, 1, 24)
    rows = (
        RunRow("/runs/live.dtui", info=live, bytes=3_600_000, settings=settings, last={"validation_error": number},
               sparkline=line, sparkline_of="validation_error", rate=812.0, seconds_left=7_500.0,
               incidents={"new": 3, "flagged": 1}),
        RunRow("/runs/second.dtui", info=done, bytes=900, last={"loss": number}, incidents={}),
        RunRow(f"/runs/{name}.dtui", error=f"structure.h5: {name}; restore it from a copy"),
        RunRow("/runs/claimed.dtui", error="claimed by 17 on host", is_claimed=True),
        RunRow("/runs/unread.dtui", is_read=False),
    )  # fmt: skip
    differing = (Difference("hyper-parameter", name, (name, None)), Difference("hyper-parameter", "lr", ("0.1", "0.2")))
    return RunList(rows, differing, ("/runs/live.dtui", "/runs/second.dtui"))


def draw_run_list(where: Frame, name: str, fill: float | None, cursor: int | None, selected: int = 0) -> Cells:
    found = run_list(name, fill)
    picture = RunsPicture(found, 0, selected, frozenset({"/runs/second.dtui"}), "/runs/live.dtui")
    return picture.draw(where, cursor)


def draw_picked_run(where: Frame, name: str, fill: float | None, cursor: int | None, is_open: bool = False) -> Cells:
    """The first run of the list, with one incident and three curves."""
    row, axis = run_list(name, fill).rows[0], axis_of(where)
    incident = Incident("i", Cause.CLASS, 500, 520, (), (), (0,), (), f"class {name} broke", 2.0)
    verdict = Verdict(
        level=Level.LOOK, headline="Look at this: 1 incident.", worst=(incident,), remarks=(f"{name} is dead.",),
        new=1, flagged=0, dismissed=0, checks=("x",), unchecked=(), error_name="", last_error=None, best_error=None,
        worst_class=None, dead=None, broken=0, status=RunStatus.DONE, reason="", records=9, validations=0,
        last_iteration=999, began="",
    )  # fmt: skip
    line = np.linspace(0, 1, axis.columns) if fill is None else np.full(axis.columns, fill)
    curves = Curves(axis, {"validation_error": line, "loss": line, name: line}, {})
    return PickedRunPicture("Picked run", row, RunTold(row.path, verdict, curves), frozenset({"lr"}), is_open).draw(
        where, cursor
    )


def draw_comparing(where: Frame, name: str, fill: float | None, cursor: int | None, current: int = 0) -> Cells:
    found = comparison(name, fill)
    curve = columns(where, found.curves[0], fill)
    return ComparingPicture(found, current, curve, "validation_error").draw(where, cursor)


def draw_compared(
    where: Frame, name: str, fill: float | None, cursor: int | None, is_paired: bool = False, kind: str = "layer"
) -> Cells:
    rows = paired(kind, "update ratio" if kind == "layer" else "error", name, fill)
    title = "Layers" if kind == "layer" else "Classes"
    order = tuple(rows.order.tolist())
    return ComparedRowsPicture(title, rows, order, 0, 1, columns(where, rows, fill), is_paired).draw(where, cursor)


RUNS_PANES: dict[str, Callable[[Frame, str, float | None, int | None], Cells]] = {
    "run list": draw_run_list,
    "picked run": draw_picked_run,
    "comparing": draw_comparing,
    "compared rows": draw_compared,
    "compared pairs": lambda where, name, fill, cursor: draw_compared(where, name, fill, cursor, True, "class"),
}
