"""The layers in a real browser: every statistic by a switch, folding, and what the crosshair reads out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dtui.model import TimeAxis
from dtui.model.statistics import LAYERS, SOURCES
from dtui.reports import build, write_report
from dtui.reports.charts import theme
from dtui.reports.charts.raster import ramp
from dtui.reports.charts.rows.filter_maps import NORMALISATIONS, shades
from tests.reports.browser import Browser
from tests.reports.fake_query import FakeQuery

QUERY = FakeQuery()
QUERY.weights[3, 17] = 40.0  # one layer jumps at one iteration
TREE = "document.getElementById('run1-layer-tree')"
STATE = "dtuiReport.rows['run1-layer-tree']"
MAPS = "document.getElementById('run1-filter-maps')"
FILTERS = "dtuiReport.rows['run1-filter-maps']"
ROWS = len(QUERY.nodes)
WORDS = f"{TREE}.querySelector('.readout').textContent"


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("tree") / "a.html"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(build, "open_run", lambda _: QUERY)
        write_report([Path("a")], out, sections=["curves", "layers", "filters"])
    return out


@pytest.fixture
def page(report: Path, browser: Browser) -> Browser:
    browser.open(report)
    browser.wake_charts()
    browser.run(f"{TREE}.scrollIntoView()")
    browser.wait_for(f"{STATE} && {STATE}.values")
    return browser


def choose(page: Browser, quantity: str) -> None:
    page.run(
        f"(() => {{ const s = {TREE}.querySelector('select'); "
        f"s.value = [...s.options].find(o => o.textContent === '{quantity}').value; "
        "s.dispatchEvent(new Event('change')); })()"
    )
    page.wait_for(f"{TREE}.querySelector('.readout').textContent.startsWith('{quantity}')")


def pixel(page: Browser, host: str, record: int, y: int) -> list[int]:
    """Return the colour of a picture at a record, from a copy that is made to be read."""
    colour: list[int] = page.run(
        f"(() => {{ const c = {host}.querySelector('canvas'), copy = document.createElement('canvas'); "
        "copy.width = c.width; copy.height = c.height; const x = copy.getContext('2d', {willReadFrequently: true}); "
        f"x.drawImage(c, 0, 0); const at = Math.floor(({record} + .5) / {QUERY.records} * c.width); "
        f"return [...x.getImageData(at, {y}, 1, 1).data].slice(0, 3); }})()"
    )
    return colour


def over(page: Browser, row: int, record: int, host: str = TREE, pitch: int = 26) -> tuple[float, float]:
    """Return the place in the window of a record of a visible row."""
    left, top, width = page.run(
        f"(() => {{ const b = {host}.querySelector('canvas').getBoundingClientRect(); "
        "return [b.left, b.top, b.width]; })()"
    )
    return left + (record + 0.5) / QUERY.records * width, top + pitch * row + pitch // 2


def shown(page: Browser) -> list[str]:
    return page.run(f"[...{TREE}.querySelectorAll('.name')].map(name => name.textContent)")


def test_every_statistic_of_every_source_can_be_chosen(page: Browser) -> None:
    groups = page.run(f"[...{TREE}.querySelectorAll('optgroup')].map(g => [g.label, g.children.length])")
    assert groups == [[source, len(LAYERS)] for source in SOURCES]
    assert page.run(f"{TREE}.querySelector('select').ariaLabel") == "Statistic"
    before = page.run(f"{TREE}.querySelector('canvas').toDataURL()")
    choose(page, "std of gradients")
    assert page.run(f"{TREE}.querySelector('canvas').toDataURL()") != before
    assert page.console == []
    assert [url for url in page.requests if not url.startswith(("data:", "file:"))] == []


def test_the_readout_names_layer_iteration_and_value(page: Browser) -> None:
    choose(page, "mean of weights")
    for row, record in ((0, 5), (3, 17), (ROWS - 1, QUERY.records - 1)):
        page.mouse("move", *over(page, row, record))
        page.wait_for(f"{WORDS}.startsWith({QUERY.nodes[row].name!r} + ' (')")
        page.wait_for(f"Math.floor({STATE}.iteration / {QUERY.every}) === {record}")
        words = page.run(WORDS)
        assert f"iteration {record * QUERY.every}" in words or f"iterations {record * QUERY.every}–" in words
        told = float(words.rpartition("weights ")[2].replace("−", "-"))
        spread = np.ptp(QUERY.weights[row]) if row != 3 else 2.0
        assert told == pytest.approx(QUERY.weights[row, record], abs=spread / 100, rel=0.01)
        values = page.run(f"[...{TREE}.querySelectorAll('.value')].map(value => value.textContent)")
        assert values[row] == words.rpartition("weights ")[2]
    assert page.console == []


def test_one_crosshair_goes_through_tree_and_charts_both_ways(page: Browser) -> None:
    page.mouse("move", *over(page, 2, 20))
    page.wait_for("dtuiReport.views['run1-error'].signal('iteration') !== null")
    assert page.run("dtuiReport.views['run1-error'].signal('iteration')") == page.run(f"{STATE}.iteration")
    left = page.run(f"{TREE}.querySelector('canvas').getBoundingClientRect().left")
    other = page.run(
        "document.querySelector('#run1-error svg').getBoundingClientRect().left "
        "+ dtuiReport.views['run1-error'].padding().left"
    )
    assert left == pytest.approx(other, abs=0.5)
    page.run("document.getElementById('run1-error').scrollIntoView()")
    x, y = page.run(
        "(() => { const b = document.querySelector('#run1-error svg').getBoundingClientRect(); "
        "return [b.left + 500, b.top + 90]; })()"
    )
    page.mouse("move", x, y)
    page.wait_for(
        f"{STATE}.iteration === dtuiReport.views['run1-error'].signal('iteration') && {STATE}.iteration !== 205"
    )
    page.mouse("move", 5, 5)
    page.wait_for(f"{STATE}.iteration === null")


def test_a_module_folds_and_unfolds_by_click_and_key(page: Browser) -> None:
    assert len(shown(page)) == ROWS
    button = f"{TREE}.querySelector('button.name')"
    page.run(f"{button}.focus()")
    assert page.run(f"{button}.getAttribute('aria-expanded')") == "true"
    for kind in ("keyDown", "keyUp"):
        page.call("Input.dispatchKeyEvent", type=kind, key="Enter", code="Enter", windowsVirtualKeyCode=13, text="\r")
    page.wait_for(f"{TREE}.querySelectorAll('.name').length === {ROWS - 3}")
    assert page.run(f"{button}.getAttribute('aria-expanded')") == "false"
    assert page.run(f"document.activeElement === {button}"), "the keyboard stays where it was"
    page.mouse("click", *over(page, 1, 30))
    page.wait_for(f"{TREE}.querySelectorAll('.name').length === {ROWS}")
    buttons = f"[...{TREE}.querySelectorAll('.controls button')]"
    page.run(f"{buttons}.find(b => b.textContent === 'fold all').click()")
    assert shown(page) == ["conv1  3×3", "layer1", "layer2", "layer3", "fc"]
    page.run(f"{buttons}.find(b => b.textContent === 'unfold all').click()")
    assert len(shown(page)) == ROWS
    assert page.run(f"{TREE}.querySelector('canvas').getBoundingClientRect().height") == ROWS * 26


def test_the_keyboard_moves_the_crosshair(page: Browser) -> None:
    page.run(f"{TREE}.querySelector('canvas').focus()")
    for key in ("Home", "ArrowDown", "ArrowRight"):
        for kind in ("keyDown", "keyUp"):
            page.call("Input.dispatchKeyEvent", type=kind, key=key, code=key)
    page.wait_for(f"{STATE}.iteration !== null && {STATE}.over === 1")
    assert page.run(WORDS).startswith("layer1 (Sequential, 32 filters) · iteration")
    page.call("Input.dispatchKeyEvent", type="keyDown", key="Escape", code="Escape")
    page.wait_for(f"{STATE}.iteration === null && {STATE}.over === null")


def test_a_jump_of_one_iteration_can_be_seen(page: Browser) -> None:
    choose(page, "mean of weights")
    before, jump, after = (pixel(page, TREE, record, 26 * 3 + 2) for record in (16, 17, 18))
    assert jump == [int(theme.HORIZON_POSITIVE[2][k : k + 2], 16) for k in (1, 3, 5)]
    assert jump not in (before, after)


def test_rows_switch_to_their_own_scale(page: Browser) -> None:
    choose(page, "mean of weights")
    before = page.run(f"{TREE}.querySelector('canvas').toDataURL()")
    was = page.run(f"{STATE}.scale")
    scale(page, TREE, 1 - was)
    assert page.run(f"{TREE}.querySelector('canvas').toDataURL()") != before
    assert ("by row" in page.run(f"{TREE}.querySelector('.scale').textContent")) == (was == 0)


def scale(page: Browser, host: str, choice: int) -> None:
    page.run(
        f"(() => {{ const s = {host}.querySelectorAll('select')[1]; s.value = '{choice}'; "
        "s.dispatchEvent(new Event('change')); })()"
    )


def test_filters_show_layer_filter_and_value_in_three_normalisations(page: Browser) -> None:
    page.run(f"{MAPS}.scrollIntoView()")
    page.wait_for(f"{FILTERS} && {FILTERS}.values")
    assert page.run(f"[...{MAPS}.querySelectorAll('select')[1].options].map(o => o.textContent)") == [
        "shades by layer",
        "shades by filter",
        "shades by iteration",
    ]
    courses = QUERY.filter_courses(0, "update_ratio", TimeAxis(0, QUERY.records * QUERY.every, QUERY.records), 24)
    pictures = []
    for choice, name in enumerate(NORMALISATIONS):
        scale(page, MAPS, choice)
        pictures.append(page.run(f"{MAPS}.querySelector('canvas').toDataURL()"))
        for row, record in ((0, 30), (5, 12)):
            colour = pixel(page, MAPS, record, 17 * row + 5)
            wanted = ramp(theme.SHADE_STOPS, 201)[round(shades(courses, name)[row, record] * 200)]
            assert np.abs(np.array(colour) - wanted).max() <= 4, (name, row)
    assert len(set(pictures)) == 3
    page.mouse("move", *over(page, 5, 30, MAPS, 17))
    words = f"{MAPS}.querySelector('.readout').textContent"
    page.wait_for(f"{words}.startsWith('conv1, filter 5 (×3.5) · iteration')")
    told = float(page.run(words).rpartition(" ")[2])
    assert told == pytest.approx(courses.values[5, 30], rel=0.05)
    assert page.console == []


@pytest.mark.parametrize("width", [360, 800, 2560])
def test_it_fits_every_window_in_light_and_dark(page: Browser, width: int) -> None:
    try:
        for dark in (False, True):
            page.size(width, 900, dark=dark)
            page.wait_for(f"document.documentElement.scrollWidth <= {width}")
            page.wait_for(f"{TREE}.scrollWidth <= {TREE}.clientWidth")
    finally:
        page.size(1280, 900)
    assert page.console == []
