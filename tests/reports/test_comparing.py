"""The chapter on several runs: what is in it for two and for more, and what is said where it cannot be made."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dtui.cli import main
from dtui.query import open_run
from dtui.reports import build_report, write_report
from dtui.reports.document import Chart, Paragraph, Report, Table
from dtui.reports.sections import comparing
from dtui.reports.sections.comparing import letter
from tests.reports.fake_query import HOSTILE, FakeQuery

SAMPLES = Path(__file__).parents[2] / "sample_runs"
HEALTHY, FAULTS = SAMPLES / "mnist-healthy", SAMPLES / "mnist-faults"


@pytest.fixture(scope="module")
def two() -> Report:
    with open_run(HEALTHY) as a, open_run(FAULTS) as b:
        return build_report([a, b], ["comparing"])


def table_of(report: Report, section: str) -> Table:
    (found,) = (one for one in report.chapters[0].sections if one.id == section)
    return next(item for item in found.items if isinstance(item, Table))


def test_two_runs_say_where_they_part(two: Report) -> None:
    (chapter,) = two.chapters
    assert chapter.title == "A mnist-healthy and B mnist-faults"
    assert [section.id for section in chapter.sections] == [
        *("compare-runs", "compare-settings", "compare-b-parts", "compare-b-layers", "compare-b-classes")
    ]
    (said,) = (item.text for item in chapter.sections[2].items if isinstance(item, Paragraph))
    assert said.startswith("First divergence: iteration 430, class 4; ")
    assert said.endswith("A has no incidents, B has 5.")
    rows = table_of(two, "compare-b-parts").rows
    assert rows[0].cells[:2] == ("430", "class 4")
    assert rows[0].iteration == 430
    assert [row.cells[0] for row in rows if row.cells[0]] == ["430", "750", "1,360", "1,650"]
    assert table_of(two, "compare-b-layers").rows[0].cells[0] == "layer3.0.conv1"


def test_the_first_screen_of_two_runs_says_where_they_part(two: Report) -> None:
    opening = two.chapters[0].opening
    assert opening is not None
    assert (opening.level, opening.headline) == (
        *("look", "A and B part at 430, and are the same, number for number, up to 420."),
    )
    assert [said.text.partition(": error")[0] for said in opening.worst] == [
        *("At 430: class 4", "At 750: class 1", "At 1,360: layer3.0.conv1: weight norm 4.45 and 13,600."),
        "And 1 more time.",
    ]
    assert {said.target for said in opening.worst} == {"compare-b-parts"}
    assert opening.remarks == ("Of two values the first is A's, the second B's.", "A has no incidents, B has 5.")


def test_the_text_for_mail_says_it_too(tmp_path: Path) -> None:
    out = tmp_path / "both.txt"
    write_report([HEALTHY, FAULTS], out)
    first = out.read_text(encoding="utf-8").split("\n\n")[0]
    assert "At 1,360: layer3.0.conv1: weight norm 4.45 and 13,600." in first


def test_the_first_screen_of_many_runs_says_which_have_incidents() -> None:
    with open_run(HEALTHY) as a, open_run(FAULTS) as b, open_run(SAMPLES / "mnist-resumed") as c:
        opening = build_report([a, b, c], ["comparing"]).chapters[0].opening
    assert opening is not None
    assert opening.headline == "2 of 3 runs have incidents: B has 5, C has 1."


def test_its_charts_can_be_drawn_and_say_in_words_what_they_show(two: Report) -> None:
    charts = [item for section in two.chapters[0].sections for item in section.items if isinstance(item, Chart)]
    assert [chart.id for chart in charts] == [
        *("compare-b-error", "compare-b-layers-distance", "compare-b-classes-distance")
    ]
    assert "they part at 430, 750, 1,360, 1,650" in charts[0].description
    assert [event["iteration"] for event in charts[0].spec["datasets"]["events"]] == [430, 750, 1360, 1650]
    assert {row["curve"] for row in charts[0].spec["datasets"]["curves"]} == {"A", "B"}


def test_three_runs_get_an_index_and_the_pairs_only_when_asked(tmp_path: Path) -> None:
    runs = [HEALTHY, FAULTS, SAMPLES / "mnist-resumed", SAMPLES / "mnist-dying"]
    pages = []
    for compare in (False, True):
        out = tmp_path / f"{compare}.txt"
        write_report(runs, out, sections=["comparing"], compare=compare)
        pages.append(out.read_text())
    assert all("mnist-resumed" in page and "What differs in the settings" in page for page in pages)
    assert "where they part" not in pages[0]
    assert "A and B: where they part" in pages[1]
    assert "A and C: where they part" in pages[1]
    assert "Not compared: layers: no name in common." in pages[1]
    assert "Not compared: layers only in D: conv2, conv3, fc1, fc2." in pages[1], "a run has one letter everywhere"


def test_the_whole_report_begins_with_it_and_one_run_has_none() -> None:
    with open_run(HEALTHY) as a, open_run(FAULTS) as b:
        assert [chapter.id for chapter in build_report([a, b]).chapters] == ["compare", "run1", "run2"]
        assert [chapter.id for chapter in build_report([a, b], ["curves"]).chapters] == ["run1", "run2"]
        assert [chapter.id for chapter in build_report([a]).chapters] == ["run1"]


def test_runs_that_cannot_be_compared_are_told_and_the_rest_is_written(
    runs: dict[str, FakeQuery], tmp_path: Path
) -> None:
    runs["a"], runs["b"] = FakeQuery(name=HOSTILE[0]), FakeQuery(name="second", invented=True)
    out = tmp_path / "both.html"
    result = write_report([Path("a"), Path("b")], out)
    page = out.read_text(encoding="utf-8")
    assert any("like no other" in problem for problem in result.problems)
    assert "These runs could not be compared" in page
    assert not re.search(r"<script>document\.title", page)
    assert page.count('<article class="run"') == 3


def test_the_command_takes_compare(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs = [str(HEALTHY), str(FAULTS), str(HEALTHY)]
    words = ["report", *runs, "-o", "-", "--format", "text", "--section", "comparing", "--compare"]
    assert main(words) == 0
    shown = capsys.readouterr().out
    assert "The same, number for number, to the end (2,390)." in shown


def test_letters_go_on_after_z() -> None:
    assert [letter(place) for place in (0, 25, 26, 51, 52)] == ["A", "Z", "A2", "Z2", "A3"]


@pytest.mark.parametrize(
    ("runs", "said", "stop"),
    [
        (("mnist-resumed", "mnist-dying"), "Compared up to 999, where B ends; A goes on to 4,216.", (1000, 1100)),
        (("mnist-dying", "mnist-resumed"), "Compared up to 999, where A ends; B goes on to 4,216.", (980, 1010)),
        (("mnist-healthy", "mnist-faults"), "", (2390, 2400)),
    ],
)
def test_charts_end_where_the_shorter_run_does(runs: tuple[str, str], said: str, stop: tuple[int, int]) -> None:
    with open_run(SAMPLES / runs[0]) as a, open_run(SAMPLES / runs[1]) as b:
        made = build_report([a, b], ["comparing"]).chapters[0]
        found = a.compare(b)
        axis = comparing._axis_of(a, found)
    part = next(one for one in made.sections if one.id == "compare-b-parts")
    (told,) = (item.text for item in part.items if isinstance(item, Paragraph) and "incident" in item.text)
    assert told.endswith(said)
    assert ("Compared up to" in told) == bool(said)
    assert axis is not None
    assert stop[0] <= axis.stop <= stop[1]
