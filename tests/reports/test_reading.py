"""A report as its reader sees it: nothing is cut, out of line or half empty, and numbers read as people write them."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dtui.number_text import unparted
from dtui.query import open_run
from dtui.reports import write_report
from tests.reports.browser import Browser
from tests.reports.test_pdf import read, require_poppler
from tests.unit.test_number_text import WRITTEN

SAMPLES = Path(__file__).parents[2] / "sample_runs"
FAULTS, RESUMED = SAMPLES / "mnist-faults.dtui", SAMPLES / "mnist-resumed.dtui"
EXPONENT = re.compile(r"(?<![\w#])\d+(?:\.\d+)?e[-+−]?\d+")
WIDTHS = (400, 800, 1280, 1920, 2560)
PAGE, TOP, BOTTOM = 842, 58, 62
"""Points of a page of paper, and of its margins."""

NAMES_THAT_CLASH = """['cube-picture', 'correlation-abstract', 'correlation-detail'].flatMap(id =>
  [...document.querySelectorAll(`#run1-${id} svg`)].filter(svg => svg.getBoundingClientRect().width).flatMap(svg => {
    const all = svg.getBoundingClientRect(), names = [...svg.querySelectorAll('text:not([transform])')].map(name =>
      [name.textContent, name.getBoundingClientRect()]);
    const touch = (a, b) => Math.min(a.right, b.right) - Math.max(a.left, b.left) > -2
      && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 0.6 * a.height;
    return names.flatMap(([name, at], k) => [
      ...(at.left < all.left || at.right > all.right ? [`${id}: ${name} is cut off`] : []),
      ...names.slice(k + 1).filter(([, other]) => touch(at, other)).map(([other]) => `${id}: ${name} touches ${other}`),
    ]);
  }))"""
PLOTS = """[...document.querySelectorAll('section')].map(section => {
  const charts = [...section.querySelectorAll('.chart')].map(host => {
    const view = dtuiReport.views[host.id], left = host.getBoundingClientRect().left + view.padding().left;
    return [left, left + view.width()];
  });
  const rows = [...section.querySelectorAll('.rows canvas')].map(one => one.getBoundingClientRect());
  const pictures = [...section.querySelectorAll('svg[data-plot]')].filter(svg => svg.getBoundingClientRect().width > 0);
  const drawn = pictures.map(svg => {
    const box = svg.querySelector('image').getBoundingClientRect();
    return [box.left, box.right];
  });
  return [...charts, ...rows.map(box => [box.left, box.right]), ...drawn];
})"""
BROKEN = """[...document.querySelectorAll('td, th')].flatMap(cell => {
  const walker = document.createTreeWalker(cell, NodeFilter.SHOW_TEXT), broken = [];
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    for (const word of node.textContent.matchAll(/[^\\s./_:,=-]+/g)) {
      const range = document.createRange();
      range.setStart(node, word.index);
      range.setEnd(node, word.index + word[0].length);
      const lines = new Set([...range.getClientRects()].map(box => Math.round(box.top)));
      if (lines.size > 1) broken.push(word[0]);
    }
  }
  return broken;
})"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The reports of a sample as HTML, PDF, text and Markdown."""
    out = tmp_path_factory.mktemp("reading")
    for ending in ("html", "pdf", "txt", "md"):
        assert write_report([FAULTS], out / f"a.{ending}").problems == ()
    return out


@pytest.fixture
def page(folder: Path, browser: Browser) -> Browser:
    """The HTML of a sample, with everything drawn."""
    browser.open(folder / "a.html")
    browser.wake_charts()
    for k in range(browser.run("document.querySelectorAll('.rows').length")):
        browser.run(f"document.querySelectorAll('.rows')[{k}].scrollIntoView()")
        browser.wait_for(f"document.querySelectorAll('.rows')[{k}].classList.contains('alive')")
    return browser


def test_an_iteration_stands_at_one_place_in_a_section_at_every_width(page: Browser) -> None:
    try:
        for width in WIDTHS:
            page.size(width, 1000)
            page.run("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
            sections = page.run(PLOTS)
            assert sum(map(len, sections)) >= 7
            for plots in sections:
                ends = np.array(plots).reshape(-1, 2)
                assert (np.ptp(ends, axis=0) <= 1.0).all() if len(ends) else True, (width, plots)
            if width >= 800:
                everything = np.array([plot for plots in sections for plot in plots])
                assert (np.ptp(everything, axis=0) <= 1.0).all(), (width, everything)
    finally:
        page.size(1280, 900)


def test_the_pictures_of_an_incident_stand_in_line(page: Browser) -> None:
    lefts = page.run(
        "[...document.querySelectorAll('.card')].map(card => [...card.querySelectorAll('svg')].map(svg => "
        "svg.querySelector('path').getBoundingClientRect().left - svg.getBoundingClientRect().left))"
    )
    assert [len(card) for card in lefts] == [1, 3, 1, 2, 2]
    assert all(max(card) - min(card) < 0.5 for card in lefts)


def test_no_name_in_a_picture_is_cut_off_or_touches_another_on_a_telephone(page: Browser) -> None:
    try:
        page.size(400, 1000)
        page.run("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
        assert page.run(NAMES_THAT_CLASH) == []
    finally:
        page.size(1280, 900)


def test_the_pixel_rows_of_images_share_the_crosshair(page: Browser) -> None:
    page.run("dtuiReport.show('run1', 1200)")
    page.wait_for("[...document.querySelectorAll('.needle')].every(needle => !needle.hidden)")
    places = page.run(
        "['#run1-image-rows .needle', '#run1-class-error'].map(name => document.querySelector(name))"
        ".map(one => one.getBoundingClientRect().left)"
    )
    view = "dtuiReport.views['run1-class-error']"
    wanted = page.run(f"{view}.padding().left + {view}.scale('x')(1200.5)")
    assert places[0] == pytest.approx(places[1] + wanted, abs=1.0)


def test_no_word_of_a_table_breaks_on_a_telephone(folder: Path, browser: Browser) -> None:
    try:
        browser.size(400, 900)
        browser.open(folder / "a.html")
        assert browser.run("document.querySelectorAll('td').length") > 300
        assert browser.run(BROKEN) == []
        assert browser.run("document.documentElement.scrollWidth") <= 400
        wide = "[...document.querySelectorAll('.table')].filter(one => one.scrollWidth > one.clientWidth + 1).length"
        assert browser.run(wide) == 0, "no table is pushed aside"
    finally:
        browser.size(1280, 900)


def test_numbers_have_no_exponents_in_any_format(page: Browser, folder: Path) -> None:
    shown = page.run("[document.body.innerText, ...[...document.querySelectorAll('svg')].map(one => one.textContent)]")
    texts = {
        "html": "\n".join(shown),
        "pdf": read(folder / "a.pdf"),
        "txt": (folder / "a.txt").read_text(encoding="utf-8"),
        "md": (folder / "a.md").read_text(encoding="utf-8"),
    }
    for name, text in texts.items():
        assert len(text) > 500, name
        assert EXPONENT.findall(text) == [], name


def test_the_flight_recorder_tells_millions_in_words() -> None:
    with open_run(RESUMED) as query:
        told = [line for line in query.info().findings if line.startswith("flight recorder: the updates")]
    assert "2.23 million times the usual at iteration 3,002" in told[0]


def test_the_script_writes_numbers_as_the_rest_does(page: Browser) -> None:
    values = [value for value, _ in WRITTEN]
    assert page.run(f"{values}.map(value => dtuiReport.numberText(value))") == [unparted(text) for _, text in WRITTEN]


def test_no_page_but_the_last_is_under_two_thirds_full(folder: Path, tmp_path: Path) -> None:
    made = folder / "a.pdf"
    assert made.stat().st_size <= 2 << 20
    subprocess.run([require_poppler("pdftoppm"), "-r", "24", "-gray", made, tmp_path / "page"], check=True)
    pages = [np.asarray(Image.open(path)) for path in sorted(tmp_path.iterdir())]
    assert len(pages) >= 10
    for number, whole in enumerate(pages[:-1], 1):
        scale = len(whole) / PAGE
        body = whole[round(TOP * scale) : len(whole) - round(BOTTOM * scale)]
        last = np.flatnonzero((body < 245).any(axis=1)).max() + 1
        assert last / len(body) >= 2 / 3, f"page {number} of {len(pages)}"
