"""Pages for everybody: what axe finds in them, and what a reader without a mouse can do."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import pytest

from dtui.reports import build, write_report
from dtui.reports.nightly.page import render_page
from tests.reports.browser import Browser
from tests.reports.fake_query import FakeQuery
from tests.reports.nightly.test_page import EMPTY, FAILED, LOOK, UNSURE, index, row

QUERY = FakeQuery(invented=True)
FAULTS = Path(__file__).parents[2] / "sample_runs" / "mnist-faults"


def axe() -> str:
    """Return axe's script; its package is not imported, for that needs a driver of browsers."""
    spec = find_spec("axe_core_python")
    assert spec is not None, "pip install '.[test]' brings axe-core-python"
    assert spec.submodule_search_locations is not None
    return (Path(spec.submodule_search_locations[0]) / "axe.min.js").read_text(encoding="utf-8")


AXE = (
    "axe.run(document, {resultTypes: ['violations']}).then(found => JSON.stringify(found.violations"
    ".filter(one => ['serious', 'critical'].includes(one.impact))"
    ".map(one => [one.id, one.nodes.slice(0, 3).map(node => node.html.slice(0, 200))])))"
)


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A report, a comparison and the page of a night."""
    folder = tmp_path_factory.mktemp("pages")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(build, "open_run", lambda _: QUERY)
        write_report([Path("a")], folder / "report.html")
    write_report([FAULTS, FAULTS], folder / "compare.html", sections=["comparing", "incidents"])
    night = render_page(index(row("a"), row("b", LOOK), FAILED, EMPTY, UNSURE))
    (folder / "night.html").write_text(night, encoding="utf-8")
    return {name: folder / f"{name}.html" for name in ("report", "compare", "night")}


@pytest.fixture
def page(pages: dict[str, Path], browser: Browser) -> Browser:
    browser.size(1280, 900)
    browser.open(pages["report"])
    browser.wake_charts()
    return browser


@pytest.mark.parametrize("name", ["report", "compare", "night"])
def test_axe_finds_nothing_serious(name: str, pages: dict[str, Path], browser: Browser) -> None:
    script = axe()
    try:
        for width, dark in ((1280, False), (360, True)):
            browser.size(width, 900, dark=dark)
            browser.open(pages[name])
            if name != "night":
                browser.wake_charts()
            browser.call("Runtime.evaluate", expression=script)
            assert json.loads(browser.run(AXE)) == []
            assert browser.run("document.documentElement.scrollWidth") <= width
    finally:
        browser.size(1280, 900)


def press(page: Browser, *keys: str) -> None:
    for key in keys:
        for kind in ("keyDown", "keyUp"):
            page.call("Input.dispatchKeyEvent", type=kind, key=key, code=key)


@pytest.mark.parametrize("chart", ["run1-error", "run1-loss", "run1-class-error"])
def test_keys_move_the_crosshair_of_every_chart(page: Browser, chart: str) -> None:
    view = f"dtuiReport.views['{chart}']"
    page.run(f"document.getElementById('{chart}').focus()")
    press(page, "Home", "ArrowRight", "ArrowRight")
    page.wait_for(f"{view}.signal('iteration') !== null && {view}.signal('shown') === 2")
    page.wait_for(f"dtuiReport.views['run1-error'].signal('iteration') === {view}.signal('iteration')")
    page.wait_for("document.querySelector('.spoken').textContent.startsWith('iteration ')")
    press(page, "Escape")
    page.wait_for(f"{view}.signal('iteration') === null")
    assert page.console == []


def test_keys_choose_a_strip_and_go_to_its_anomaly(page: Browser) -> None:
    view = "dtuiReport.views['run1-class-error']"
    marked = page.run(f"{view}.data('marks')[0].of")
    names = page.run(f"{view}.data('rows').flatMap(row => row.names)")
    page.run("document.getElementById('run1-class-error').focus()")
    press(page, "Home", *["ArrowDown"] * (names.index(marked) + 1))
    page.wait_for(f"{view}.signal('over')?.name === {marked!r}")
    page.wait_for(f"document.querySelector('.spoken').textContent.includes({marked!r})")
    press(page, "Enter")
    page.wait_for("document.querySelector('tr.chosen') !== null && document.activeElement.matches('tr.chosen')")
    assert page.run("document.querySelector('tr.chosen').id") in page.run(
        f"{view}.data('marks').filter(mark => mark.of === {marked!r}).map(mark => mark.target)"
    )


def test_tab_reaches_one_row_of_a_table_and_arrows_the_others(page: Browser) -> None:
    rows = "[...document.querySelectorAll('tbody tr[data-iteration]')]"
    assert page.run(
        "[...document.querySelectorAll('tbody')].every(b => b.querySelectorAll('tr[tabindex=\"0\"]').length <= 1)"
    )
    page.run(f"{rows}[0].focus()")
    press(page, "ArrowDown")
    page.wait_for(f"document.activeElement === {rows}[1]")
    page.wait_for(f"dtuiReport.views['run1-error'].signal('iteration') === Number({rows}[1].dataset.iteration)")
    press(page, "ArrowUp")
    page.wait_for(f"document.activeElement === {rows}[0]")


def test_the_strip_and_the_cards_take_keys(page: Browser) -> None:
    page.run("document.querySelector('.strip figure').focus()")
    press(page, "End")
    page.wait_for("!document.querySelector('.needle').hidden")
    page.run("document.querySelector('.card').focus()")
    page.wait_for(f"dtuiReport.views['run1-error'].signal('iteration') === {4 * QUERY.every}")


def test_forced_colours_keep_edges_and_legends_and_print_keeps_an_incident_whole(page: Browser) -> None:
    page.run("document.querySelector('.rows').scrollIntoView()")  # its script draws it once it is seen
    style = "getComputedStyle(document.querySelector('{}')).{}"
    try:
        page.call("Emulation.setEmulatedMedia", features=[{"name": "forced-colors", "value": "active"}])
        for edge in (".card", ".facts > div", ".card h3 .number"):
            assert page.run(style.format(edge, "outlineStyle")) == "solid"
        for shade in (".rows .swatch", ".needle"):
            page.wait_for(f"document.querySelector('{shade}') !== null")
            assert page.run(style.format(shade, "forcedColorAdjust")) == "none"
        page.call("Emulation.setEmulatedMedia", media="print")
        assert page.run(style.format(".card", "breakInside")) == "avoid"
    finally:
        page.call("Emulation.setEmulatedMedia", media="", features=[])
        page.size(1280, 900)


def test_charts_and_tables_fit_a_narrow_page_and_widen_again(page: Browser) -> None:
    sideways = (
        "[...document.querySelectorAll('.chart, .rows.alive, .table')]"
        ".filter(one => one.querySelectorAll('th').length < 8 && one.scrollWidth > one.clientWidth + 1)"
    )
    names = (
        "[...document.querySelectorAll('#run1-error text')].filter(one => one.textContent === 'validation error')"
        ".map(one => one.getBoundingClientRect().bottom < "
        "document.querySelector('#run1-error .mark-rule, #run1-error .role-axis').getBoundingClientRect().top)"
    )
    narrow = "Object.values(dtuiReport.views).map(view => view.signal('narrow'))"
    try:
        page.size(360, 900)
        page.wait_for(f"{narrow}.every(Boolean) && {sideways}.length === 0")
        assert page.run(names) == [True], "names stand above the plot"
        page.size(1280, 900)
        page.wait_for(f"!{narrow}.some(Boolean) && {sideways}.length === 0")
        assert page.run(names) == [False], "and beside it where there is room"
        assert page.console == []
    finally:
        page.size(1280, 900)
