"""From a query to a file: what is written, where, and what is said when something is missing."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from dtui.errors import OutputError, ReportError, RunDamagedError, RunNotFoundError, UsageError
from dtui.model import Gap
from dtui.query import open_run
from dtui.reports import build, build_report, write_report
from dtui.reports.document import Chapter, Chart, Drawings, Paragraph, Report, Row, Section, Table
from dtui.reports.output import convert
from dtui.reports.output.html import render_html
from dtui.reports.places import HTML
from dtui.reports.rendering import Renderer
from dtui.reports.sections import registry, section, section_names
from tests.anomalies import class_anomaly
from tests.reports.fake_query import HOSTILE, FakeQuery


def text_of(page: str) -> str:
    """Return a page without its scripts, styles and tags."""
    return re.sub(r"<[^>]+>", " ", re.sub(r"(?s)<(script|style)\b.*?</\1>", " ", page))


def test_one_file_holds_everything(runs: dict[str, FakeQuery], tmp_path: Path) -> None:
    runs["a"] = FakeQuery()
    out = tmp_path / "report.html"
    words: list[str] = []
    result = write_report([Path("a")], out, progress=words.append)
    page = out.read_text(encoding="utf-8")
    assert result.paths == (out,)
    assert result.bytes == out.stat().st_size
    assert (result.charts, result.problems) == (3, ())
    assert page.count('<div class="chart"') == 3
    assert page.count('<div class="rows"') == 2
    assert not re.search(r"(?:src|href)=[\"'](?!#|data:)", page.partition("<main>")[2].partition("<script>")[0])
    for heading in (
        "What happened",
        "Error, loss and other scalars",
        "Layers",
        "Classes",
        "Anomaly iterations",
        "How it was made",
    ):
        assert f"<h2>{heading}</h2>" in page
    assert "INVENTED" not in text_of(page)
    assert runs["a"].closed
    assert any("layers" in word for word in words)
    assert any("drawing" in word for word in words)
    kept = tmp_path / ".report.html.since.json"
    assert sorted(tmp_path.iterdir()) == [kept, out], "no temporary file is left"


def test_several_runs_stand_in_one_document(runs: dict[str, FakeQuery], tmp_path: Path) -> None:
    runs["a"], runs["b"] = FakeQuery(name="first"), FakeQuery(name="second", invented=True)
    out = tmp_path / "both.html"
    result = write_report([Path("a"), Path("b")], out)
    page = out.read_text(encoding="utf-8")
    assert result.charts == 6
    identifiers = re.findall(r'\sid="([^"]+)"', page)
    assert len(identifiers) == len(set(identifiers))
    assert "2 runs" in page
    assert 'href="#run2-classes"' in page
    assert text_of(page).count("INVENTED") == 1


def test_a_folder_gets_a_file_a_run(runs: dict[str, FakeQuery], tmp_path: Path) -> None:
    runs["a.dtui"] = runs["b"] = FakeQuery()
    result = write_report([Path("x/a.dtui"), Path("y/a.dtui"), Path("b")], tmp_path, sections=["anomalies"])
    assert [path.name for path in result.paths] == ["a.html", "a-2.html", "b.html"]
    assert all(path.stat().st_size for path in result.paths)


def test_a_run_without_records_makes_a_report_that_says_so(runs: dict[str, FakeQuery], tmp_path: Path) -> None:
    runs["a"] = FakeQuery(records=0)
    result = write_report([Path("a")], tmp_path / "a.html")
    assert (result.charts, result.problems) == (0, ())
    assert "Nothing has been recorded yet." in (tmp_path / "a.html").read_text(encoding="utf-8")


def test_the_counts_of_anomalies_add_up_in_head_charts_and_table(tmp_path: Path) -> None:
    """60 in the charts, and 30 rows of which three hold two: 33 and the 27 that are left out are 60."""
    result = write_report([SAMPLES / "mnist-faults.dtui"], tmp_path / "a.txt", sections=["curves", "anomalies"])
    assert result.problems == ()
    text = (tmp_path / "a.txt").read_text(encoding="utf-8")
    (charted,) = re.findall(r"; (\d+) anomalies are marked\.", text)
    ((rows, held, whole, left),) = re.findall(
        r"The (\d+) rows with the highest score hold (\d+) of the (\d+) anomalies; (\d+) are left out", text
    )
    assert charted == whole == "60"
    assert int(held) + int(left) == 60
    listed = re.findall(r"^ +[\d,]+  [▲▼].*? (left, right|left|right) ", text, re.M)
    assert len(listed) == int(rows) == 30
    assert sum(rule.count(",") + 1 for rule in listed) == int(held)


def test_a_single_record_is_enough(runs: dict[str, FakeQuery], tmp_path: Path) -> None:
    runs["a"] = FakeQuery(records=1, anomalies=0)
    result = write_report([Path("a")], tmp_path / "a.html")
    assert (result.charts, result.problems) == (3, ())
    page = (tmp_path / "a.html").read_text(encoding="utf-8")
    assert re.search(r"\d+ validations?, the rules need 6; flips are not judged\.", page)


def test_gaps_are_listed_only_where_there_are_some(tmp_path: Path) -> None:
    whole = build_report([FakeQuery()])
    holed = build_report([FakeQuery(gaps=(Gap(30, 50, "records", "disk full"),))])
    assert "No gap" in str(whole)
    assert "No gap" not in str(holed)
    items = next(part.items for part in holed.chapters[0].sections if part.id == "run1-trust")
    table = items[-1]
    assert isinstance(table, Table)
    assert table.rows == (Row(("30", "50", "records", "disk full"), iteration=30),)


def test_only_the_sections_asked_for_are_made() -> None:
    report = build_report([FakeQuery()], sections=["classes", "curves"])
    assert [part.id for part in report.chapters[0].sections] == ["run1-curves", "run1-classes"]


def test_an_unknown_section_is_refused_with_the_names_there_are(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"section 'nothing': .* choose from incidents, curves, "):
        write_report([tmp_path], tmp_path / "a.html", sections=["nothing"])


def test_a_section_is_added_by_one_function(monkeypatch: pytest.MonkeyPatch) -> None:
    section_names()
    monkeypatch.setattr(registry, "_ENTRIES", dict(registry._ENTRIES))
    section("extra", order=35)(lambda view: Section(f"{view.prefix}-extra", "Extra", "", (Paragraph("new"),)))
    assert section_names()[:3] == ("incidents", "curves", "extra")
    assert build_report([FakeQuery()]).chapters[0].sections[2].title == "Extra"


def test_no_run_and_a_path_that_is_none_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no run was given"):
        write_report([], tmp_path / "a.html")
    with pytest.raises(RunNotFoundError):
        write_report([tmp_path / "nothing"], tmp_path / "a.html")
    assert list(tmp_path.iterdir()) == []


def test_charts_are_drawn_for_a_user_without_a_home() -> None:
    """As one of a container, whom no list of users has: Altair raises a RuntimeError there."""
    code = "import os, pwd; pwd.getpwuid = {}.__getitem__; del os.environ['HOME']\n"
    code += "from dtui.reports.charts.curves import chart; print(chart.alt.__name__, 'HOME' in os.environ)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout == "altair False\n", done.stderr[-500:]


def test_a_python_without_docstrings_is_told_before_a_run_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """As with PYTHONOPTIMIZE=2: Altair raises an AttributeError there."""
    monkeypatch.setattr("dtui.reports.rendering.__doc__", None)
    with Renderer(lambda _: None) as renderer:
        renderer.warm_up({"txt"})
        with pytest.raises(ReportError, match=r"-OO \(PYTHONOPTIMIZE=2\), .*; leave that out, or use -o OUT\.txt"):
            renderer.warm_up({HTML})


def test_a_place_that_cannot_be_written_is_named(runs: dict[str, FakeQuery], tmp_path: Path) -> None:
    runs["a"] = FakeQuery()
    out = tmp_path / "missing" / "a.html"
    with pytest.raises(OutputError, match=rf"a\.html: cannot be written.* {re.escape(str(out.parent))}$"):
        write_report([Path("a")], out, sections=["anomalies"])


def test_a_report_that_fails_leaves_the_old_one(
    runs: dict[str, FakeQuery], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs["a"] = FakeQuery()
    out = tmp_path / "a.html"
    out.write_text("old", encoding="utf-8")

    def full(self: Path, target: Path) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OutputError, match="No space left"):
        write_report([Path("a")], out, sections=["anomalies"])
    assert out.read_text(encoding="utf-8") == "old"
    assert list(tmp_path.iterdir()) == [out]


def test_a_section_that_cannot_be_read_becomes_a_note(
    runs: dict[str, FakeQuery], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def damaged(self: FakeQuery, *_: object) -> object:
        raise RunDamagedError("run a: part 3 fails its checksum; run `dtui check`")

    monkeypatch.setattr(FakeQuery, "node_series", damaged)
    runs["a"] = FakeQuery()
    result = write_report([Path("a")], tmp_path / "a.html")
    assert result.problems == ("section layers: run a: part 3 fails its checksum; run `dtui check`",)
    assert result.charts == 3
    assert "could not be made: run a: part 3 fails its checksum" in (tmp_path / "a.html").read_text(encoding="utf-8")


def test_a_chart_that_cannot_be_drawn_becomes_a_note(
    runs: dict[str, FakeQuery], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw = convert.ChartConverter.draw

    def failing(self: convert.ChartConverter, chart: Chart) -> str:
        if chart.id.endswith("loss"):
            chart = Chart(chart.id, "", "vega", lambda: {"marks": [{"type": "<b>no such mark"}]}, "")
        return draw(self, chart)

    monkeypatch.setattr(convert.ChartConverter, "draw", failing)
    runs["a"] = FakeQuery()
    result = write_report([Path("a")], tmp_path / "a.html")
    page = (tmp_path / "a.html").read_text(encoding="utf-8")
    assert result.charts == 2
    assert len(result.problems) == 1
    assert result.problems[0].startswith("chart run1-loss: ")
    assert "This chart could not be drawn. chart run1-loss: " in page
    assert "run1-loss-spec" not in page
    assert "<b>no such" not in page


SAMPLES = Path(__file__).parents[2] / "sample_runs"


def test_the_injected_faults_of_the_sample_run_can_be_seen(tmp_path: Path) -> None:
    """What was done to the training stands in the curves, and the class that it hit among the anomalies."""
    out = tmp_path / "report.html"
    result = write_report([SAMPLES / "mnist-healthy", SAMPLES / "mnist-faults.dtui"], out)
    assert (result.charts, result.problems) == (11, ())
    with open_run(SAMPLES / "mnist-faults.dtui") as query:
        report = build_report([query])
        notes = query.metadata().notes
    sections = {part.id: part for part in report.chapters[0].sections}
    curves, table = sections["run1-curves"].items[0], sections["run1-anomalies"].items[0]
    assert isinstance(curves, Chart)
    assert isinstance(table, Table)
    marked = {event["label"] for event in curves.spec["datasets"]["events"]}
    assert marked == {str(note["kind"]).replace("_", " ") for note in notes}
    poisoned = [note for note in notes if note["kind"] == "poisoned_labels"]
    assert poisoned
    for note in poisoned:
        near = {row.cells[2] for row in table.rows if 0 <= (row.iteration or 0) - int(str(note["iteration"])) <= 40}
        assert str(note["class"]) in near, note


def test_a_report_is_plain_text_where_the_name_says_so(runs: dict[str, FakeQuery], tmp_path: Path) -> None:
    runs["a"], runs["b"] = FakeQuery(classes=["猫", "dog"]), FakeQuery(invented=True)
    out = tmp_path / "report.txt"
    result = write_report([Path("a"), Path("b")], out, sections=["curves", "anomalies"])
    text = out.read_text(encoding="utf-8")
    assert (result.charts, result.bytes) == (0, len(text.encode("utf-8")))
    assert text.startswith(
        "invented-run (done)\n===================\nLook at this: 2 incidents.\n12 of 12 checks ran.\n"
    )
    assert text.count("INVENTED") == 1
    assert "validation error and train error over the iterations" in text
    table = text.partition("iteration  what")[2].splitlines()
    before = [line.partition(" left ")[0] for line in table if " left " in line]
    assert any("猫" in start for start in before)
    assert len({len(start) + start.count("猫") for start in before[:12]}) == 1, "wide characters take two columns"


def render(report: Report, drawings: Drawings) -> str:
    return render_html(report, drawings, {}, "/* bundle */")


def one_section(*items: Chart | Table | Paragraph, title: str = "t") -> Report:
    return Report(title, (Chapter("run1", title, "done", False, (), (Section("s", title, title, items),)),))


@pytest.mark.parametrize("name", HOSTILE)
def test_every_place_of_the_template_escapes(name: str) -> None:
    chart = Chart("c", name, "vega", lambda: {"description": name}, name)
    table = Table((name,), (False,), (Row((name,)),), name, name)
    page = render(one_section(chart, table, Paragraph(name), title=name), {"c": "<svg/>"})
    tags = re.findall(r"<[a-zA-Z/][^>]*>", page)
    assert not [tag for tag in tags if tag.startswith("<img") or "onerror" in tag.partition("aria-label")[0]]
    assert page.count("<script") == page.count("</script") == 8
    assert "49" not in text_of(page)
    data = re.search(r'<script type="application/json"[^>]*>(.*?)</script>', page)
    assert data is not None
    assert json.loads(data[1]) == {"description": name}


def test_a_specification_with_nan_is_refused() -> None:
    chart = Chart("c", "", "vega", lambda: {"value": float("nan")}, "")
    with pytest.raises(ReportError, match="make it null"):
        render(one_section(chart), {"c": "<svg/>"})


def test_only_the_scripts_of_the_page_may_run() -> None:
    page = render(one_section(), {})
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', page)
    assert policy is not None
    directives = dict(part.split(" ", 1) for part in policy[1].replace("&#39;", "'").split("; "))
    assert directives["default-src"] == "'none'"
    assert re.fullmatch(r"('sha256-[\w+/=]+' ?){7}", directives["script-src"])
    assert "unsafe" not in directives["script-src"] + directives["style-src-elem"]
    assert "connect-src" not in directives


def test_building_a_report_imports_neither_the_converter_nor_a_screen() -> None:
    program = "import dtui.reports.build, sys; print(sorted({'vl_convert', 'textual', 'torch'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"
    assert build.write_report is write_report


def test_what_both_rules_say_about_the_same_images_is_one_row() -> None:
    query = FakeQuery(anomalies=2)
    left = class_anomaly(100, "gained", score=0.5)
    right = class_anomaly(100, "gained", score=0.7, rule="right", status="flagged", note="look")
    other = class_anomaly(100, "lost", score=0.5)
    query.found = (left, right, other)
    sections = {part.id: part for part in build_report([query]).chapters[0].sections}
    table = sections["run1-anomalies"].items[0]
    assert isinstance(table, Table)
    assert len(table.rows) == 2
    both = next(row for row in table.rows if row.kind == "gained")
    assert both.cells[5:] == ("left, right", "0.70", "flagged, new", "look")
    chart = sections["run1-classes"].items[-1]
    assert isinstance(chart, Chart)
    assert {mark["target"] for mark in chart.spec["data"][1]["values"]} == {row.id for row in table.rows}
