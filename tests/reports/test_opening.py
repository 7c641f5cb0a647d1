"""The first screen and the incidents of a real run, and short reports to mail and to paste."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dtui.errors import RunDamagedError
from dtui.model import ImageSet, RunInfo, Validation
from dtui.query import open_run
from dtui.reports import build_report, write_report
from dtui.reports.document import NEXT, Card, Chapter, Fact, Opening, Paragraph, Report, Said, Section, Table
from dtui.reports.facts import duration, moment
from dtui.reports.output.mail import MOST_LINES, render_mail
from dtui.reports.output.markdown import escaped
from dtui.store import RunWriter
from tests.reports.fake_query import HOSTILE, FakeQuery
from tests.store.builders import METADATA, STRUCTURE

SAMPLES = Path(__file__).parents[2] / "sample_runs"
FAULTS = SAMPLES / "mnist-faults.dtui"


@pytest.fixture(scope="module")
def chapter() -> Chapter:
    with open_run(FAULTS) as query:
        return build_report([query], sections=["incidents"]).chapters[0]


def cards(chapter: Chapter) -> list[Card]:
    return [item for part in chapter.sections for item in part.items if isinstance(item, Card)]


def test_the_first_screen_says_what_is_still_broken_and_leads_there(chapter: Chapter) -> None:
    opening = chapter.opening
    assert opening is not None
    assert (opening.level, opening.headline) == ("look", "Look at this: 5 incidents, 2 still so at the end.")
    assert [(said.number, said.target) for said in opening.worst] == [
        (4, "run1-incident4"),
        (3, "run1-incident3"),
        (2, "run1-incident2"),
        (0, "run1-incidents"),
    ]
    assert {said.target for said in opening.worst} <= {*(card.id for card in cards(chapter)), chapter.sections[0].id}
    assert [(fact.name, fact.value) for fact in chapter.facts] == [
        ("validation error", "2.4 %"),
        ("incidents", "5"),
        ("state", "done"),
        ("worst class", "8"),
        ("filters at the end", "7 dead"),
    ]
    assert chapter.facts[0].detail == "at 2,390; best 1.9 % at 1,270"
    assert chapter.facts[1].detail == "5 new + 0 flagged + 0 dismissed"


def test_that_nothing_was_learned_stands_where_incidents_would() -> None:
    class Guessing(FakeQuery):
        def info(self) -> RunInfo:
            return replace(super().info(), not_learned="the network is no better than chance")

    (section,) = build_report([Guessing(incidents=False)], sections=["incidents"]).chapters[0].sections
    (said,) = section.items
    assert isinstance(said, Paragraph)
    assert re.fullmatch(r"No incident in .* validations, but the network is no better than chance\.", said.text)


def test_no_class_is_called_the_worst_where_nothing_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "run"
    targets = np.array([0, 1], np.uint16)
    with RunWriter(path, STRUCTURE, METADATA, compact=False) as writer:
        writer.set_images(ImageSet(("a", "b"), targets, ("1", "2")))
        for iteration, labels in ((0, targets[::-1]), (10, targets)):
            writer.append_validation(Validation(iteration, labels.copy(), np.zeros(2, np.uint8)))
    with open_run(writer.path) as query:
        facts = build_report([query], sections=["incidents"]).chapters[0].facts
    assert ("worst class", "none", "nothing is wrong at 10") in [(fact.name, fact.value, fact.detail) for fact in facts]


def test_the_strip_shows_every_incident_and_leads_to_it(chapter: Chapter) -> None:
    assert chapter.opening is not None
    strip = chapter.opening.strip
    assert strip is not None
    for svg in (strip.svg, strip.narrow):
        assert re.findall(r'href="#run1-incident(\d)"', svg) == ["1", "2", "3", "4", "5"]
        assert "<style" not in svg
        assert "<script" not in svg
    assert strip.description == (
        "Validation error over the iterations; 2.4 % at the end, 1.9 % at best; "
        "incidents: 1 at 430, 2 at 750, 3 at 1,010, 4 at 1,360, 5 at 1,650."
    )


def test_each_incident_has_pictures_that_show_it_and_a_command(chapter: Chapter) -> None:
    found = cards(chapter)
    assert [card.iteration for card in found] == [430, 750, 1010, 1360, 1650]
    assert [card.standing for card in found] == ["over", "", "still so at the end", "still so at the end", "over"]
    assert all(card.pictures for card in found)
    jump = found[3]
    assert jump.command.endswith("mnist-faults.dtui --at 1360 --layer layer3.0.conv1 --filter 17")
    assert jump.pictures[0].title == "change of filter 17 of layer3.0.conv1 in one record, ‖Δw‖ / ‖w‖"
    assert jump.pictures[0].description == (
        "about 0.00183 before; 14,728 at 1,360; dashed: the middle filter of the layer."
    )
    assert found[0].pictures[0].description.startswith("about 1.5 % before; 100 % at 430")
    assert found[0].command.endswith("--at 430 --class 4")
    told = {fact.name: fact.value for fact in found[0].facts}
    assert told["wrong"] == ("100 of 100 images of class 4 at 430: 98 taken for class 9, 1 for class 2, 1 for class 6")
    assert told["rule"] == (
        "error against the 10 validations before: usually 1.5 %, here 100 % · 92 % of the rise of all classes · "
        "never as much before"
    ), "which rule found it, as the terminal says"
    last = {fact.name: fact.value for fact in found[4].facts}
    assert last["wrong"].endswith("91 taken for class 1, 3 for class 9, 2 for class 4, 1 for others")


def test_the_verdict_says_what_to_do_next(chapter: Chapter, tmp_path: Path) -> None:
    assert chapter.opening is not None
    assert [said.next_step for said in chapter.opening.worst] == [
        "go on from a checkpoint before 1,360, and test the GPU's memory if it comes back: learning seldom does this",
        "go on from a checkpoint before 1,010, and lower the learning rate or take a leaky activation",
        "look at the learning rate and the batches up to 750; clipping the gradient norm limits updates",
        "",
    ]
    for form, words in (
        ("html", "next: go on from a checkpoint before 1,360"),
        ("md", "Next: go on from a checkpoint"),
    ):
        write_report([FAULTS], tmp_path / f"a.{form}", sections=["review"])
        assert words in (tmp_path / f"a.{form}").read_text(encoding="utf-8")


def test_an_incident_of_items_and_groups_names_them() -> None:
    with open_run(SAMPLES / "digits-segmentation.dtui") as query:
        first = cards(build_report([query], ["incidents"]).chapters[0])[0]
    assert {fact.name: fact.value for fact in first.facts}["wrong"] == "55 of 57 items of group three at 710"


def test_a_reader_without_scripts_styles_and_pictures_has_everything(tmp_path: Path) -> None:
    write_report([FAULTS], tmp_path / "a.html", sections=["incidents"])
    page = (tmp_path / "a.html").read_text(encoding="utf-8")
    bare = re.sub(r"(?s)<(script|style|svg)\b.*?</\1>", " ", page)
    text = " ".join(re.sub(r"<[^>]+>", " ", bare).split())
    for words in (
        "Look at this: 5 incidents, 2 still so at the end.",
        "validation error 2.4 % at 2,390; best 1.9 % at 1,270",
        "1,360 The weights of filter 17 of layer3.0.conv1 changed by 14,700 times their norm in one record",
        "about 0.00183 before; 14,728 at 1,360",
        "--at 1360 --layer layer3.0.conv1 --filter 17",
    ):
        assert words in text, words


def test_more_incidents_than_have_pictures_are_lines_of_a_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dtui.reports.sections.incidents.MOST_CARDS", 2)
    with open_run(FAULTS) as query:
        made = build_report([query], sections=["incidents"]).chapters[0]
    assert [card.number for card in cards(made)] == [3, 4], "those that are still so"
    table = made.sections[0].items[-1]
    assert isinstance(table, Table)
    assert [row.id for row in table.rows] == ["run1-incident1", "run1-incident2", "run1-incident5"]


def test_links_lead_somewhere_where_incidents_are_not_shown() -> None:
    made = build_report([FakeQuery()], sections=["made"]).chapters[0]
    assert made.opening is not None
    assert {said.target for said in made.opening.worst} == {"run1"}
    assert made.opening.strip is not None
    assert "#run1-" not in made.opening.strip.svg


def test_a_run_that_cannot_be_judged_has_a_report_that_says_so(
    runs: dict[str, FakeQuery], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def damaged(self: FakeQuery) -> object:
        raise RunDamagedError("a: the files were lost while they were read")

    monkeypatch.setattr(FakeQuery, "verdict", damaged)
    runs["a"] = FakeQuery()
    result = write_report([Path("a")], tmp_path / "a.html", sections=["curves"])
    assert result.problems == ("verdict: a: the files were lost while they were read",)
    assert result.runs[0].verdict is None
    assert "No verdict: a: the files were lost" in (tmp_path / "a.html").read_text(encoding="utf-8")


# --- text for mail
def test_mail_is_short_and_has_all(tmp_path: Path) -> None:
    write_report([FAULTS], tmp_path / "a.txt")
    lines = (tmp_path / "a.txt").read_text(encoding="utf-8").splitlines()
    assert len(lines) <= MOST_LINES
    assert max(map(len, lines)) <= 78
    assert lines[2] == "Look at this: 5 incidents, 2 still so at the end."
    assert "1,360  The weights of filter 17 of layer3.0.conv1 changed by 14,700 times" in lines
    assert "       next: go on from a checkpoint before 1,360, and test the GPU's memory" in lines
    assert "First report of this run" in lines


def test_mail_says_what_to_look_at_next_where_all_has_room(tmp_path: Path) -> None:
    steps = [Card("a", k, k, "w" * 70, "", "new", (Fact(NEXT, "look at it"),)) for k in range(1, 31)]
    for count, has_steps in ((10, True), (30, False)):
        part = Section("run1-incidents", "What happened", "", tuple(steps[:count]))
        lines = render_mail(Report("t", (Chapter("run1", "t", "done", False, (), (part,), (), Opening("look", "h")),)))
        assert (lines.count("next: look at it") == count) is has_steps
        assert lines.count("w" * 70) == count


def test_mail_marks_where_a_sentence_is_cut() -> None:
    lines = render_mail(Report("t", (many(1, "long " * 100),))).splitlines()
    (last,) = [number for number, line in enumerate(lines) if line.endswith("long…")]
    assert len([line for line in lines if "long long" in line]) == 3
    assert all(len(line) <= 78 for line in lines), last


def test_mail_tells_a_fact_to_its_end(tmp_path: Path) -> None:
    write_report([SAMPLES / "digits-segmentation.dtui"], tmp_path / "a.txt")
    lines = (tmp_path / "a.txt").read_text(encoding="utf-8").splitlines()
    assert lines[lines.index("state               done") + 1].endswith("UTC after 4 min 5 s)")
    assert not any("…" in line for line in lines)


def many(count: int, words: str = "something happened") -> Chapter:
    """Return a chapter with so many incidents, long remarks, and much trouble."""
    made = [
        Card(f"run1-incident{k}", k, 100 * k, f"{words} {k}", "still so at the end" if k == count else "", "new")
        for k in range(1, count + 1)
    ]
    worst = (Said(words, f"run1-incident{count}", count),)
    opening = Opening("look", "h" * 200, worst, ("r " * 300,) * 5, ("s " * 200,) * 9, "Since the last report")
    facts = tuple(Fact("f" * 30, "v" * 200, "d" * 200) for _ in range(5))
    part = Section("run1-incidents", "What happened", "", tuple(made))
    return Chapter("run1", "t" * 300, "done", True, facts, (part,), ("finding " * 40,) * 9, opening)


@pytest.mark.parametrize("count", [0, 1, 5, 60])
def test_mail_is_never_longer_than_forty_lines_a_run(count: int) -> None:
    for words in ("something happened", "long " * 60):
        lines = render_mail(Report("t", (many(count, words),))).splitlines()
        assert len(lines) <= MOST_LINES
        assert max(map(len, lines)) <= 78
        if count == 60:
            assert re.search(r"and \d+ more incidents", lines[-1])
            assert any("6,000  " in line for line in lines), "the worst is there"


@pytest.mark.parametrize("name", ["--help", "", " cat", "twice", "\x1b[2J"])
def test_a_class_that_cannot_be_typed_is_given_by_its_label(name: str) -> None:
    """The line is to be copied: `--class --help` shows a help text, and of two equal names the first is opened."""
    query = FakeQuery().with_names(("twice", name, "ship", "frog", "horse", "truck"))
    (_, second) = cards(build_report([query]).chapters[0])
    assert second.command.endswith(" --class 1")


# --- Markdown
@pytest.mark.parametrize("name", [*HOSTILE, "@octocat", "#12", "GH-7", "https://x.example", "www.x.example"])
def test_names_are_no_markup_in_markdown(runs: dict[str, FakeQuery], tmp_path: Path, name: str) -> None:
    runs["a"] = FakeQuery().with_names((name, "a|b", "*bold* `code` [x](y)", "<b>", "1. one"))
    write_report([Path("a")], tmp_path / "a.md", sections=["incidents", "anomalies", "made"])
    lines = (tmp_path / "a.md").read_text(encoding="utf-8").splitlines()
    fenced, outside = False, []
    for line in lines:
        fenced ^= line.startswith("```")
        outside += [] if fenced else [line.replace("<!-- -->", "\0")]
    text = "\n".join(outside)
    assert not re.search(r"(?<!\\)<", text)
    assert not re.search(r"@(?!\0)|#(?=\d)|GH-(?=\d)|://|www\.", text)
    assert "*bold*" not in text
    cells = {line.count("|") - line.count("\\|") for line in outside if line.startswith("| ") and "dog" not in line}
    assert cells <= {4, 8, 9, 10}


def test_what_markdown_would_take_for_markup_stays_readable() -> None:
    assert escaped("2.4 %") == "2.4\N{NO-BREAK SPACE}%"
    assert escaped("layer3.0.conv1") == "layer3.0.conv1"
    assert escaped("# a") == "\\# a"
    assert escaped("- a") == "\\- a"
    assert escaped("12. a") == "12\\. a"
    assert escaped("a_b <c> | d") == "a\\_b \\<c\\> \\| d"


# --- JSON
def test_json_holds_verdict_facts_incidents_and_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from dtui.cli import main

    out = tmp_path / "a.txt"
    assert main(["report", str(FAULTS), "-o", str(out), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["files"], answer["problems"]) == ([str(out)], [])
    (run,) = answer["runs"]
    assert run["verdict"]["level"] == "look"
    assert run["verdict"]["worst"][0] == "incident-1360-filter-layer3.0.conv1"
    assert (run["verdict"]["new"], run["verdict"]["persisting"], run["verdict"]["dead"]) == (5, 2, 7)
    assert run["since"] == {"title": "First report of this run", "changes": []}
    assert run["facts"][0]["name"] == "validation error"
    assert [one["first"] for one in run["incidents"]] == [430, 750, 1010, 1360, 1650]
    assert main(["report", str(FAULTS), "-o", "-", "--json"]) == 2
    assert "both the report and --json want standard output" in capsys.readouterr().err


# --- the same input, the same bytes
def test_the_same_input_gives_the_same_bytes_anywhere(tmp_path: Path) -> None:
    """Over time zones, languages, hash seeds and two working directories, in three formats, and the state beside it."""
    program = (
        "import sys; from pathlib import Path; from dtui.reports import write_report\n"
        "for name in ('a.html', 'a.txt', 'a.md'): write_report([Path(sys.argv[1])], Path(sys.argv[2]) / name)"
    )
    surroundings = (
        ("UTC", "C.UTF-8", "1", tmp_path, FAULTS),
        ("Asia/Tokyo", "de_DE.UTF-8", "2", FAULTS.parent, f"../{FAULTS.parent.name}/./{FAULTS.stem}"),
    )
    written = []
    for zone, language, seed, folder, run in surroundings:
        out = tmp_path / seed
        out.mkdir()
        environment = {**os.environ, "TZ": zone, "LANG": language, "LC_ALL": language, "PYTHONHASHSEED": seed}
        environment["PYTHONPATH"] = str(Path(__file__).parents[2])
        subprocess.run([sys.executable, "-c", program, run, out], check=True, env=environment, cwd=folder)
        written.append({path.name: path.read_bytes() for path in out.iterdir()})
    names = ["a.html", "a.md", "a.txt"]
    assert sorted(written[0]) == [*(f".{name}.since.json" for name in names), *names]
    for name in written[0]:
        assert written[0][name] == written[1][name], name


# --- times
def test_times_are_shown_with_their_zone() -> None:
    assert moment("2026-11-23T17:37:22+00:00") == "2026-11-23 17:37 UTC"
    assert moment("2026-11-23T17:37:22+05:30") == "2026-11-23 17:37 +05:30"
    assert moment("2026-11-23T17:37:22") == "2026-11-23 17:37, in a time zone that was not recorded"
    assert moment("<b>yesterday") == ""
    assert duration("2026-11-23T17:37:22+00:00", "2026-11-24T01:40:00+01:00") == "7 h 2 min"
    assert duration("2026-11-23T17:37:22+00:00", "2026-11-23T17:37:22+00:00") == "0 s"
    assert duration("2026-11-23T17:37:22", "2026-11-23T17:37:22+00:00") == ""
    assert duration("2026-11-24T17:37:22+00:00", "2026-11-23T17:37:22+00:00") == ""


def test_an_incident_that_was_dismissed_has_no_pictures_and_is_not_in_the_verdict() -> None:
    query = FakeQuery()
    query.decided = {query.happened[0].id: {"status": "dismissed", "note": "known"}}
    made = build_report([query]).chapters[0]
    (first, second) = cards(made)
    assert (first.status, first.pictures) == ("dismissed", ())
    assert ("note", "known") in [(fact.name, fact.value) for fact in first.facts]
    assert second.pictures
    assert made.opening is not None
    assert [said.number for said in made.opening.worst] == [2]
    assert replace(made.facts[1], name="") == Fact("", "2", "1 new + 0 flagged + 1 dismissed")


def test_the_first_screen_names_the_samples_that_stand_before_what_fired() -> None:
    with open_run(SAMPLES / "mnist-batches.dtui") as query:
        opening = build_report([query], ["incidents"]).chapters[0].opening
    assert opening is not None
    assert opening.remarks[0] == (
        "Look at samples 1973, 412 and 3305 of the training data: they stand in the batches before 11, 8 and 6 of "
        "the 25 triggers, more than chance allows."
    )
