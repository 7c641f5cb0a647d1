"""Charts above each other tell of the same iterations, whichever of what they show began or ended first."""

from __future__ import annotations

import base64
import io

import numpy as np
from PIL import Image

from dtui.model import TimeAxis
from dtui.reports import build_report
from dtui.reports.charts.curves.chart import curve_chart
from dtui.reports.charts.curves.rows import Curve
from dtui.reports.document import Chart
from tests.reports.fake_query import FakeQuery


def test_the_last_value_of_a_curve_is_told_though_another_one_goes_on() -> None:
    axis = TimeAxis(0, 6, 6)
    longer = Curve("longer", "#000", np.arange(6.0))
    shorter = Curve("shorter", "#111", np.array([np.nan, 4.0, 3.0, 2.0, np.nan, np.nan]))
    rows = curve_chart([longer, shorter], axis, unit="number")["datasets"]["curves"]
    assert [(row["curve"], row["value"]) for row in rows if row.get("last")] == [("longer", 5.0), ("shorter", 2.0)]


def test_a_class_changes_where_its_validation_is() -> None:
    query = FakeQuery(records=5, every=29)
    chapter = build_report([query]).chapters[0]
    chart = next(part for part in chapter.sections if part.id.endswith("classes")).items[-1]
    assert isinstance(chart, Chart)
    rows = next(data["values"] for data in chart.spec["data"] if data["name"] == "rows")
    picture = next(row["url"] for row in rows if row["label"] == "ship")
    image = Image.open(io.BytesIO(base64.b64decode(picture.removeprefix("data:image/png;base64,")))).convert("RGB")
    colours = [image.getpixel((column, 0)) for column in range(image.width)]
    assert [k for k in range(1, len(colours)) if colours[k] != colours[k - 1]] == [29, 58, 87, 116]
