"""Reports in a real browser without a network: what runs, what is asked for, what a reader can do."""

from __future__ import annotations

from pathlib import Path

import pytest

from dtui.reports import build, write_report
from tests.reports.browser import Browser
from tests.reports.fake_query import HOSTILE, FakeQuery

QUERY = FakeQuery(invented=True)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a small run."""
    out = tmp_path_factory.mktemp("report") / "a.html"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(build, "open_run", lambda _: QUERY)
        write_report([Path("a")], out)
    return out


@pytest.fixture
def page(report: Path, browser: Browser) -> Browser:
    """The report of a small run, with every chart alive."""
    browser.open(report)
    assert browser.wake_charts() == 3
    return browser


def at(browser: Browser, chart: str, x: float, y: float) -> tuple[float, float]:
    """Return the place in the window of a place in a chart's plot, after scrolling there."""
    browser.run(f"document.getElementById('{chart}').scrollIntoView()")
    left, top = browser.run(
        f"(() => {{ const box = document.querySelector('#{chart} svg').getBoundingClientRect(), "
        f"p = dtuiReport.views['{chart}'].padding(); return [box.left + p.left, box.top + p.top]; }})()"
    )
    return left + x, top + y


def signal(chart: str, name: str) -> str:
    return f"dtuiReport.views['{chart}'].signal('{name}')"


def test_every_chart_draws_and_nothing_complains(page: Browser) -> None:
    drawn = page.run(
        "[...document.querySelectorAll('.chart svg')].map(svg => svg.querySelectorAll('path, image').length)"
    )
    assert len(drawn) == 3
    assert min(drawn) > 3
    assert page.console == []
    assert [url for url in page.requests if not url.startswith(("data:", "file:"))] == []
    assert len([url for url in page.requests if url.startswith("file:")]) == 1
    assert page.run("document.querySelector('.invented strong').textContent") == "INVENTED"


def test_one_crosshair_goes_through_all_charts(page: Browser) -> None:
    page.mouse("move", *at(page, "run1-error", 300, 100))
    page.wait_for(f"{signal('run1-class-error', 'iteration')} !== null")
    page.wait_for(f"{signal('run1-class-error', 'values')} !== null")
    iterations = page.run("Object.values(dtuiReport.views).map(view => view.signal('iteration'))")
    assert len(iterations) == 3
    assert len(set(iterations)) == 1
    lefts = page.run("Object.values(dtuiReport.views).map(view => view.origin()[0] + view.padding().left)")
    assert len(set(lefts)) == 1
    page.mouse("move", *at(page, "run1-error", -150, 100))
    page.wait_for(f"{signal('run1-class-error', 'iteration')} === null")
    assert page.console == []


def test_the_strip_shares_the_crosshair(page: Browser) -> None:
    """Pointing at the strip moves all charts, and pointing at a chart moves the needle to the same iteration."""
    page.run("document.querySelector('.strip').scrollIntoView()")
    left, top, width = page.run(
        "(() => { const box = document.querySelector('.strip figure').getBoundingClientRect(); "
        "return [box.left, box.top, box.width]; })()"
    )
    first, last = 48 / width, 1 - 12 / width
    page.mouse("move", left + width * (first + (last - first) / 2), top + 60)
    page.wait_for(f"Math.abs({signal('run1-error', 'iteration')} - 250) <= 1")
    assert page.run("document.querySelector('.needle').hidden") is False
    page.mouse("move", *at(page, "run1-error", -150, 100))
    page.wait_for("document.querySelector('.needle').hidden")
    at_error = page.run("dtuiReport.views['run1-error'].width()")
    page.mouse("move", *at(page, "run1-error", at_error / 4, 100))
    page.wait_for("!document.querySelector('.needle').hidden")
    place = page.run("parseFloat(document.querySelector('.needle').style.left)")
    assert abs(place / width - (first + (last - first) / 4)) < 0.01
    assert page.console == []


def test_pointing_at_an_incident_moves_the_crosshair_and_its_number_leads_there(page: Browser) -> None:
    page.run("document.querySelector('.card').scrollIntoView({block: 'center'})")
    x, y = page.run(
        "(() => { const box = document.querySelector('.card').getBoundingClientRect(); "
        "return [box.left + 30, box.top + 12]; })()"
    )
    page.mouse("move", x, y)
    page.wait_for(f"{signal('run1-error', 'iteration')} === {4 * QUERY.every}")
    links = "document.querySelectorAll('.strip .wide a, .verdict li a')"
    targets = page.run(f"[...{links}].map(link => link.getAttribute('href').slice(1))")
    assert set(targets) == {"run1-incident1", "run1-incident2"}
    assert page.run(f"{targets}.every(id => document.getElementById(id) !== null)") is True


@pytest.mark.parametrize("width", [360, 400, 800, 2560])
def test_nothing_is_wider_than_the_window(report: Path, browser: Browser, width: int) -> None:
    try:
        for dark in (False, True):
            browser.size(width, 900, dark=dark)
            browser.open(report)
            assert browser.run("document.documentElement.scrollWidth") <= width
            shown = "[...document.querySelectorAll('.strip .drawn')].map(one => one.offsetWidth > 0)"
            assert browser.run(shown) == ([False, True] if width < 900 else [True, False])
            small = browser.run(
                "[...document.querySelectorAll('.drawn text')].filter(one => one.getBoundingClientRect().height > 0)"
                ".map(one => one.ownerSVGElement)"
                ".map(svg => 12 * svg.getBoundingClientRect().width / svg.viewBox.baseVal.width)"
            )
            assert min(small) >= 8
    finally:
        browser.size(1280, 900)


def test_values_are_read_back_from_the_picture(page: Browser) -> None:
    """The value under the pointer is the class's error at that record, to half a percent."""
    chart = "run1-class-error"
    rows = page.run(f"dtuiReport.views['{chart}'].data('rows').map(r => ({{y: r.y, height: r.height, name: r.label}}))")
    row = next(row for row in rows if row["name"] == "ship")
    width = page.run(f"dtuiReport.views['{chart}'].width()")
    for record in (0, 17, QUERY.records - 1):
        page.mouse("move", *at(page, chart, (record + 0.5) / QUERY.records * width, row["y"] + row["height"] / 2))
        over = signal(chart, "over")
        there = f"Math.floor({signal(chart, 'shown')} / {QUERY.every}) === {record}"
        page.wait_for(f"{there} && {over} && {over}.name === 'ship'")
        page.wait_for(f"Math.abs({signal(chart, 'value')} - {QUERY.errors[2, record]}) <= 0.0026")
    texts = page.run(f"document.getElementById('{chart}').textContent")
    assert "ship · iteration" in texts
    assert page.console == []


def test_a_triangle_leads_to_its_row_in_the_table(page: Browser) -> None:
    chart = "run1-class-error"
    mark = page.run(
        f"dtuiReport.views['{chart}'].data('marks').map(m => "
        f"[dtuiReport.views['{chart}'].scale('x')(m.iteration), m.y, m.target])[0]"
    )
    page.mouse("click", *at(page, chart, mark[0], mark[1]))
    page.wait_for("document.querySelector('tr.chosen') !== null")
    assert page.run("document.querySelector('tr.chosen').id") == mark[2]


def test_pointing_at_a_row_of_the_table_moves_the_crosshair(page: Browser) -> None:
    page.run("document.querySelector('tr[data-iteration]').scrollIntoView({block: 'center'})")
    x, y, iteration = page.run(
        "(() => { const row = document.querySelector('tr[data-iteration]'), box = row.getBoundingClientRect(); "
        "return [box.left + 20, box.top + 8, Number(row.dataset.iteration)]; })()"
    )
    page.mouse("move", x, y)
    page.wait_for(f"{signal('run1-error', 'iteration')} === {iteration}")


def test_charts_follow_the_width_of_the_window(page: Browser) -> None:
    try:
        page.size(800, 900)
        page.wait_for("dtuiReport.views['run1-error'].width() < 600")
        page.wait_for("document.documentElement.scrollWidth <= 800")
        widths = page.run("Object.values(dtuiReport.views).map(view => view.width())")
        assert len(set(widths)) == 1
    finally:
        page.size(1280, 900)
    assert page.console == []


def test_without_scripts_the_charts_stand_there_all_the_same(report: Path, tmp_path: Path, browser: Browser) -> None:
    browser.open(report, scripts=False)
    browser.pdf(tmp_path / "print.pdf")
    printed = (tmp_path / "print.pdf").read_bytes()
    assert printed.startswith(b"%PDF")
    root = browser.call("DOM.getDocument", depth=0)["root"]["nodeId"]
    pictures = browser.call("DOM.querySelectorAll", nodeId=root, selector=".chart > svg, .rows .drawn > svg")["nodeIds"]
    assert len(pictures) == 5
    for picture in pictures:
        box = browser.call("DOM.getBoxModel", nodeId=picture)["model"]
        assert box["width"] > 900
        assert box["height"] > 100


def test_names_from_outside_are_text(runs: dict[str, FakeQuery], tmp_path: Path, browser: Browser) -> None:
    runs["a"] = FakeQuery(classes=["c"] * 10, stages=2).with_names(HOSTILE)
    write_report([Path("a")], tmp_path / "a.html")
    browser.open(tmp_path / "a.html")
    charts = browser.wake_charts()
    assert charts == 3
    browser.mouse("move", *at(browser, "run1-class-error", 100, 60))
    browser.wait_for(f"{signal('run1-class-error', 'over')} !== null")
    browser.run("document.querySelector('.rows').scrollIntoView()")
    browser.wait_for("document.querySelector('.rows .value')?.textContent")
    assert browser.console == []
    assert browser.run("document.title") == "</script><script>document.title='ran'</script> – dtui report"
    assert browser.run("document.querySelectorAll('img:not([src^=\"data:image/png\"])').length") == 0
    text = browser.run("document.body.innerText")
    for name in HOSTILE[:4]:
        assert name in text
    assert "�]0;ran�tabby �cat" in text
    drawn = browser.run("[...document.querySelectorAll('.chart text, .rows .name')].map(t => t.textContent).join('|')")
    for name in HOSTILE[1:2]:
        assert name in drawn
    assert "<img src=x" in drawn
    assert [url for url in browser.requests if not url.startswith(("data:", "file:"))] == []
