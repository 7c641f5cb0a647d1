"""Small specifications that are compared with the files in golden/; run as a module, it writes those files.

`python -m tests.reports.golden_specs`
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from dtui.model import Anomaly, Stage, TimeAxis
from dtui.reports.charts.curves.chart import Event, curve_chart
from dtui.reports.charts.curves.rows import Curve
from dtui.reports.charts.heatmap import Group, Strip, class_heatmap
from dtui.reports.charts.ribbon import ribbon_marks
from dtui.reports.document import Spec
from tests.anomalies import class_anomaly

FOLDER = Path(__file__).parent / "golden"
AXIS = TimeAxis(0.0, 60.0, 6)


def anomaly(iteration: int, direction: str, share: float) -> Anomaly:
    """Return an anomaly iteration of class 0."""
    return class_anomaly(iteration, direction, share, count=round(share * 50))


def specs() -> dict[str, Spec]:
    """Return one specification of each kind of chart."""
    error = np.array([np.nan, 0.9, 0.5, 0.4, 0.2, 0.1])
    train = np.array([0.95, 0.8, 0.45, 0.3, 0.15, 0.05])
    marks = ribbon_marks([anomaly(20, "lost", 0.5), anomaly(45, "both", 0.25)], AXIS, 120.0)
    strip = Strip("cat", error, marks)
    many = tuple(Strip(f"class {k}", np.clip(error + k / 200, 0, 1), ()) for k in range(70))
    return {
        "curves_share": curve_chart(
            [Curve("validation error", "#b8540a", error), Curve("train error", "#52708f", train, None, True)],
            AXIS,
            unit="share",
            stages=(Stage(0, 0.1), Stage(30, 0.01)),
            ribbon=marks,
            events=(Event(20, "spike"), Event(22, "second")),
        ),
        "curves_number": curve_chart(
            [Curve("loss", "#3d4f63", 2 * train, np.stack([train, 3 * train]))], AXIS, unit="number"
        ),
        "curves_nan": curve_chart(
            [Curve("loss", "#3d4f63", np.array([2, np.nan, 1, 1, np.nan, 0.5]), nonfinite=np.arange(6) == 1)],
            AXIS,
            unit="number",
        ),
        "class_strips": class_heatmap([Group("early", error, (strip,), marks)], AXIS, stages=[30]),
        "class_blocks": class_heatmap([Group("early", error, many, ())], AXIS, stages=[]),
    }


def as_text(spec: Spec) -> str:
    """Return a specification as sorted JSON."""
    return json.dumps(spec, sort_keys=True, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, spec in specs().items():
        (FOLDER / f"{name}.json").write_text(as_text(spec), encoding="utf-8")
