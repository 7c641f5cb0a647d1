"""The page of a night: what stands first, what a reader sees at every width, and nothing that a name could break."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from dtui.reports.nightly.entry import Entry, Outcome
from dtui.reports.nightly.index import FINE, FOUND, NOT_JUDGED, Index, Row, as_json, make_index, shown_by, summary
from dtui.reports.nightly.page import HEIGHT, WIDTH, curve_of, render_page
from dtui.reports.nightly.plan import Shard
from tests.reports.browser import Browser

HOSTILE = "</style><script>window.hacked = 1</script>\"'<img src=x onerror='window.hacked = 1'>\x1b[2J\u202e猫"
CALM = Entry(
    Outcome.FINE,
    "Nothing to look at: no incident in 9 records and 9 validations.",
    since_title="First report of this run",
    status="done",
    error_name="validation error",
    last_error=0.02,
    best_error=0.019,
    best_at=70,
    last_iteration=90,
    curve=(0.9, 0.5, None, 0.1, 0.05, 0.02),
    report="report.html",
)
LOOK = replace(
    CALM,
    outcome=Outcome.LOOK,
    headline="Look at this: 2 incidents.",
    details=(f"At 7, {HOSTILE}",),
    new=2,
    marks=(3, 40),
)


def row(name: str, entry: Entry = CALM, **values: object) -> Row:
    return Row(f"{name}.dtui", entry.outcome, entry=entry, report=f"runs/{name}/90-x/report.html", **values)


FAILED = Row("bad.dtui", Outcome.FAILED, "structure.h5: missing")
EMPTY = Row("new.dtui", Outcome.EMPTY, "nothing has been recorded yet")
UNSURE = row("part", replace(CALM, outcome=Outcome.UNSURE))


def index(*rows: Row, shown: dict[str, str] | None = None, missing: tuple[Shard, ...] = ()) -> Index:
    return make_index("runs", rows, (), shown or {}, missing)


def test_what_needs_a_person_comes_first() -> None:
    still = row("still", replace(LOOK, persisting=1))
    seen = row("seen", replace(LOOK, new=0, flagged=2))
    old = row("old", LOOK)
    found = index(EMPTY, row("a"), UNSURE, FAILED, seen, old, still, row("fresh", LOOK), shown={"old.dtui": old.report})
    names = [one.run.removesuffix(".dtui") for one in found.rows]
    assert names == ["still", "fresh", "old", "seen", "bad", "part", "a", "new"]


@pytest.mark.parametrize(
    ("rows", "code"),
    [
        ([], NOT_JUDGED),
        ([row("a"), EMPTY], FINE),
        ([row("a"), row("b", LOOK)], FOUND),
        ([row("b", LOOK), UNSURE], FOUND),
        ([row("a"), UNSURE], NOT_JUDGED),
        ([row("b", LOOK), FAILED], NOT_JUDGED),
    ],
    ids=["none", "fine", "found", "found and doubts", "doubts", "found and failed"],
)
def test_the_exit_code_says_what_weighs_most(rows: list[Row], code: int) -> None:
    assert index(*rows).exit_code == code


def test_a_missing_shard_gives_2_whatever_was_found() -> None:
    found = index(row("b", LOOK), missing=(Shard(2, 3),))
    assert found.exit_code == NOT_JUDGED
    assert "2/3" in render_page(found)


def test_a_run_that_scores_decide_shows_its_mean_score() -> None:
    page = render_page(index(row("a", replace(CALM, score="mean <b>IoU</b> 0.43")), row("b")))
    assert page.count('<p class="muted">mean &lt;b&gt;IoU&lt;/b&gt; 0.43</p>') == 1


def test_what_the_index_of_before_showed_is_not_new() -> None:
    before = shown_by(as_json(index(row("a"), row("b"))))
    changed = replace(row("b"), report="runs/b/100-y/report.html")
    found = index(row("a"), changed, shown=before)
    assert {one.run: one.is_new for one in found.rows} == {"a.dtui": False, "b.dtui": True}
    assert summary(found) == "2 runs: 2 fine; 1 new report"


@pytest.mark.parametrize("document", [None, {}, {"runs": 7}, {"runs": [1, {}, {"run": 1, "report": 2}]}])
def test_an_index_of_before_that_is_none_shows_nothing(document: dict[str, object] | None) -> None:
    assert shown_by(document) == {}


def test_a_curve_keeps_its_gap_its_ends_and_stays_within_its_frame() -> None:
    curve = curve_of(LOOK)
    assert curve is not None
    assert [len(piece.split()) for piece in curve.pieces] == [2, 3]
    places = [tuple(map(float, point.split(","))) for piece in curve.pieces for point in piece.split()]
    assert (places[0][0], places[-1][0]) == (0.0, WIDTH)
    assert places[0][1] == min(y for _, y in places)
    assert all(0 <= y <= HEIGHT for _, y in places)
    assert curve.last == places[-1]
    assert curve.described == "validation error from 90.0 % to 2.0 %, lowest 2.0 %, 2 places with an incident"
    steps = [after[1] - before[1] for before, after in pairwise(places[2:])]
    assert steps[0] < steps[1] * 1.2  # logarithmic: halving shows as much at the end as before


@pytest.mark.parametrize("values", [(), (None, None), (0.5,), (None, 0.5, None)])
def test_fewer_than_two_points_are_no_curve(values: tuple[float | None, ...]) -> None:
    assert curve_of(replace(CALM, curve=values)) is None


@pytest.mark.parametrize("values", [(0.0, 0.0), (0.0, 1.0), (0.5, 0.5)])
def test_errors_of_zero_and_constant_errors_are_drawn(values: tuple[float, ...]) -> None:
    curve = curve_of(replace(CALM, curve=values))
    assert curve is not None
    assert "nan" not in curve.pieces[0]


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page with every kind of row, long names and hostile ones."""
    path = tmp_path_factory.mktemp("page") / "index.html"
    long = row("very-long-name-" * 7, replace(LOOK, headline="Look at this: " + "x" * 300, since=("word " * 40,)))
    hostile = Row(f"{HOSTILE}.dtui", Outcome.LOOK, entry=LOOK, report="runs/run~1/90-x/report.html")
    rows = (hostile, long, FAILED, UNSURE, row("a"), EMPTY, row("b", older=("runs/b/80-y/report.html",)))
    made = replace(index(*rows, missing=(Shard(2, 3),)), gone=(row("gone"),))
    path.write_text(render_page(made), encoding="utf-8")
    return path


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280, 2560])
def test_the_page_fits_every_width_and_asks_for_nothing(page: Path, browser: Browser, width: int, dark: bool) -> None:
    browser.size(width, 900, dark=dark)
    browser.open(page)
    assert browser.console == []
    assert [url for url in browser.requests if not url.startswith("file:")] == []
    assert len(browser.requests) == 1
    assert browser.run("document.documentElement.scrollWidth") <= width
    assert browser.run("window.hacked === undefined && document.scripts.length === 0 && !document.images.length")
    narrow = browser.run(
        "[...document.querySelectorAll('.run p, .run li')].filter(p => p.textContent.trim().length > 40 "
        "&& p.getBoundingClientRect().width < 150).length"
    )
    assert narrow == 0  # nothing stacks letter by letter
    ink, paper = browser.run("[getComputedStyle(document.body).color, getComputedStyle(document.body).backgroundColor]")
    assert (sum(map(int, ink[4:-1].split(", "))) > sum(map(int, paper[4:-1].split(", ")))) is dark


def test_every_link_is_reached_by_keyboard_and_every_curve_has_words(page: Path, browser: Browser) -> None:
    browser.size(1280, 900)
    browser.open(page)
    assert browser.run("[...document.querySelectorAll('a')].every(a => a.tabIndex === 0 && a.textContent.trim())")
    assert browser.run("[...document.querySelectorAll('nav a')].every(a => document.querySelector(a.hash))")
    assert browser.run(
        "[...document.querySelectorAll('svg')].every(s => s.getAttribute('aria-label').includes('error'))"
    )
    assert browser.run("[...document.querySelectorAll('h2')].map(h => h.textContent.trim().slice(2))") == [
        "Look at these",
        "Could not be judged",
        "Judged in part",
        "Nothing to look at",
        "Nothing recorded yet",
        " longer there",
    ]
