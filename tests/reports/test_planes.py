"""Values as bytes of a grey picture: what is lost on the way, and that nothing else is."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image

from dtui.reports.charts.rows.planes import CORE, TAIL, decode, encode, grey_picture, plane_data
from dtui.reports.rows import Plane

GENERATOR = np.random.default_rng(5)


@pytest.mark.parametrize(
    "row",
    [
        GENERATOR.normal(0, 1, 800),
        GENERATOR.normal(3, 0.001, 800),
        np.linspace(-4, 9, 800),
        10 ** GENERATOR.uniform(-6, 0, 800),
        -(10 ** GENERATOR.uniform(-6, 0, 800)),
        np.zeros(800),
        np.full(800, 0.25),
    ],
)
def test_a_value_of_the_core_comes_back_to_half_a_step(row: np.ndarray) -> None:
    codes = encode(row[None])
    back = decode(codes)[0]
    _, low, high, _ = codes.limits[0]
    inside = (row >= low) & (row <= high)
    assert inside.mean() > 0.98
    half = np.abs(high - low) / CORE / 2
    if low * high > 0 and max(low / high, high / low) > 8:
        half = np.abs(row[inside]) * abs(np.log(high / low)) / CORE / 2 * 1.05
    assert (np.abs(back[inside] - row[inside]) <= half + 1e-4 * np.abs(row[inside])).all()


def test_the_least_and_the_most_are_exact_and_a_jump_does_not_flatten_what_is_around_it() -> None:
    row = GENERATOR.normal(1, 0.1, 1000)
    row[400], row[700] = 3100.0, -40.0
    codes = encode(row[None])
    back = decode(codes)[0]
    assert back[400] == pytest.approx(3100.0, rel=1e-12)
    assert back[700] == pytest.approx(-40.0, rel=1e-12)
    rest = np.delete(np.arange(1000), [400, 700])
    assert np.abs(back[rest] - row[rest]).max() < 0.1
    assert np.median(np.abs(back[rest] - row[rest])) < 0.001
    assert (back[400], back[700]) == (back.max(), back.min())


def test_order_is_kept_and_no_value_is_no_value() -> None:
    values = GENERATOR.standard_t(1, (20, 300))
    values[3, 5:9] = np.nan
    values[4] = np.nan
    values[5, 7] = np.inf
    codes = encode(values)
    back = decode(codes)
    assert (np.isnan(back) == ~np.isfinite(values)).all()
    for row, code in zip(values, codes.bytes.astype(int), strict=True):
        known = np.isfinite(row)
        order = np.argsort(row[known], kind="stable")
        assert (np.diff(code[known][order]) >= 0).all()
    assert codes.bytes.max() <= 1 + 2 * TAIL + CORE
    assert (codes.limits[4] == 0).all()


def test_the_picture_holds_the_bytes() -> None:
    codes = GENERATOR.integers(0, 256, (7, 33)).astype(np.uint8)
    url = grey_picture(codes)
    assert url == grey_picture(codes.copy())
    image = Image.open(io.BytesIO(base64.b64decode(url.removeprefix("data:image/png;base64,"))))
    assert image.mode == "L"
    assert (np.asarray(image) == codes).all()


def test_the_script_gets_scales_and_marks() -> None:
    values = np.array([[0.0, 1.0, 2.0, 4.0], [0.0, -1.0, np.nan, 400.0]])
    bad = np.array([[False] * 4, [False, True, True, False]])
    data = plane_data(Plane("mean", "weights", "mean of weights", values, 400.0, bad))
    assert (data["signed"], data["full"][0], data["bad"]) == (True, [400], {"1": [(1, 3)]})
    assert data["full"][1] == [4, 400]
    assert "bad" not in plane_data(Plane("std", "weights", "std of weights", values, 1.0))
