"""Each section by itself: on a run with faults, on one with nothing, and with names from outside."""

from __future__ import annotations

import re
import shlex
import shutil
from argparse import Namespace
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from dtui.cli import main
from dtui.cli.on_screen.opening import OPEN
from dtui.cli.reading import run_info
from dtui.model import Cause, Evidence, Gap, Incident
from dtui.model.judging import as_groups
from dtui.query import open_run
from dtui.reports import build_report, write_report
from dtui.reports.document import Card, Facts, Gallery, Paragraph, Picture, Pieces, Section, Table
from dtui.reports.sections import section_names
from dtui.reports.sections.filters import filter_maps
from dtui.reports.sections.incidents import _shown_by, filters_of
from dtui.reports.sections.made import _moment, _said
from dtui.reports.sections.registry import View
from dtui.reports.what_counts import SENTENCES, what_counts
from dtui.tui.panes.table import TABLE
from dtui.tui.state.places.link import screen_word
from tests.reports.fake_query import HOSTILE, FakeQuery

SAMPLES = Path(__file__).parents[2] / "sample_runs"


@pytest.fixture(scope="module")
def sections() -> dict[str, Section]:
    """Return the sections of the run with five faults by name."""
    with open_run(SAMPLES / "mnist-faults.dtui") as query:
        made = build_report([query], sections=["review", "images", "confusions", "filters", "trust", "made", "classes"])
    return {part.id.removeprefix("run1-"): part for part in made.chapters[0].sections}


def cells(table: object) -> list[tuple[str, ...]]:
    assert isinstance(table, Table)
    return [row.cells for row in table.rows]


@pytest.mark.parametrize("name", [name for name in section_names() if name != "comparing"])
def test_each_section_stands_alone(name: str) -> None:
    report = build_report([FakeQuery(gaps=(Gap(1, 2, "records", "full"),))], sections=[name])
    (part,) = report.chapters[0].sections
    assert part.id == f"run1-{name}"
    assert part.title
    assert part.items
    nothing = build_report([FakeQuery(records=0)], sections=[name]).chapters[0].sections
    assert all(one.items for one in nothing)


def test_filters_are_listed_by_name(sections: dict[str, Section]) -> None:
    assert cells(sections["filters"].items[1]) == [
        ("dead", "layer2.1.conv1", "6 of 16", "1,010", "1, 4, 5, 8, 11, 14"),
        ("dead", "layer3.0.conv1", "1 of 32", "1,360", "17"),
    ]


def test_the_worst_classes_come_by_name(sections: dict[str, Section]) -> None:
    worst = cells(sections["classes"].items[0])
    assert worst[0][:4] == ("8", "102", "5.9 %", "1.0 %")
    shares = [float(row[2].removesuffix(" %")) for row in worst]
    assert shares == sorted(shares, reverse=True)


def test_with_many_classes_those_that_moved_most_come_too() -> None:
    query = FakeQuery(classes=[f"class {k}" for k in range(20)])
    part = build_report([query], sections=["classes"]).chapters[0].sections[0]
    tables = [item for item in part.items if isinstance(item, Table)]
    assert [len(table.rows) for table in tables] == [10, 10]


def test_confusions_that_grew_stand_beside_their_incident(sections: dict[str, Section]) -> None:
    grown = cells(sections["confusions"].items[2])
    assert ("1", "430", "class 4", "class 9") in [row[:4] for row in grown], "labels of class 4 were poisoned with 9"
    assert ("5", "1,650", "class 7", "class 1") in [row[:4] for row in grown], "those of class 7 with 1"


def test_images_of_the_classes_in_incidents_are_shown(sections: dict[str, Section]) -> None:
    galleries = [item for item in sections["images"].items if isinstance(item, Gallery)]
    assert [item.title.partition(",")[0] for item in galleries[:3]] == [f"Class {name}" for name in ("1", "7", "4")]
    image = galleries[0].images[0]
    assert image.picture.startswith("data:image/png;base64,")
    assert re.fullmatch(r"image \S+ of class 1: \d+× taken for 7, wrong \d+ of 240, forgotten \d+×", image.description)


def test_every_image_of_a_class_in_an_incident_has_a_pixel_row(sections: dict[str, Section]) -> None:
    picture = sections["images"].items[0]
    assert isinstance(picture, Picture)
    for words in ("Class 7: 97 images, 0 wrong all along", "at 1,660: 100.0 %", "Class 4: 100 images"):
        assert words in picture.description
    assert "each image has a pixel row" in sections["images"].caption
    assert isinstance(picture.paper, Pieces)
    for svg in (picture.svg, picture.narrow, "".join(map(str, picture.paper.parts))):
        assert svg.count("<image ") == 3
        assert svg.count("stroke-dasharray") == 3, "an incident of each class"


def test_where_the_weights_began_stands_beside_he_and_xavier() -> None:
    with open_run(SAMPLES / "mnist-faults.dtui") as query:
        part = build_report([query], sections=["layers"]).chapters[0].sections[0]
    table = next(item for item in part.items if isinstance(item, Table))
    assert table.title == "Where the weights began"
    assert table.columns == ("layer", "He", "Xavier", "torch's default", "at first", "at the end")
    assert [row.cells[0] for row in table.rows[:2]] == ["layer3.0.conv1", "layer2.1.conv1"], "those of incidents first"
    he, xavier, default, first, last = map(float, table.rows[0].cells[1:])
    assert (he, xavier, default) == (0.118, 0.0680, 0.0481)
    assert 0.9 < first / default < 1.1
    assert last > 100, "one filter of it jumped"


@pytest.mark.parametrize(
    ("sample", "noun", "network"),
    [("mnist-dying", "images", "5 layers"), ("digits-segmentation", "items", "4 layers in 3 modules")],
)
def test_few_layers_begin_at_the_input_and_rows_say_what_they_are_of(sample: str, noun: str, network: str) -> None:
    with open_run(SAMPLES / f"{sample}.dtui") as query:
        layers = [layer.name for layer in query.structure().layers]
        parts = build_report([query], sections=["images", "layers", "made"]).chapters[0].sections
    (table,) = [item for item in parts[1].items if isinstance(item, Table)]
    assert [row.cells[0] for row in table.rows] == layers
    picture = parts[0].items[0]
    assert re.search(rf">\d+ {noun}</text>", picture.svg)
    (drawn,) = [item for item in parts[2].items if isinstance(item, Picture)]
    assert re.search(f"; {network}[.]", drawn.description)


def test_each_check_says_from_where_on_it_finds_something() -> None:
    for name, classes in (("mnist-faults", "drops of classes"), ("digits-segmentation", "drops of groups")):
        with open_run(SAMPLES / f"{name}.dtui") as query:
            checks, judging = query.all_checks(), query.info().judging
        told = {one.title: what_counts(one, judging) for one in checks}
        assert len(told) == len(SENTENCES)
        assert all(told.values()), "each check has its sentence"
        assert ("group" in told[classes]) == (judging is not None)
    for one in checks:
        words = next(said for title, said in SENTENCES.items() if as_groups(title, judging) == one.title)
        assert set(re.findall(r"{([^}]+?)(?: %)?}", words)) == {name for name, _ in one.thresholds}, one.title
    assert told["leaps of the learning rate"] == "2 times what it was a record before"
    assert told["jumps of filters"].startswith("a change by 25 % of its weights, 6 times that of the layer's middle")


def test_numbers_in_a_note_are_names_but_for_iterations(tmp_path: Path) -> None:
    assert _moment(12_400) == "12,400"
    assert _said("last", 12_430) == "until 12,430"
    assert _said("samples", [1973, 412]) == "samples 1973, 412"
    assert _said("seed", 20_261_130) == "seed 20261130"


def test_one_record_shows_what_it_has_of_filters(tmp_path: Path) -> None:
    """No update is known at the first record: norms are shown, and no empty rows."""
    assert main(["synth", str(tmp_path / "one"), "--preset", "small", "--records", "1", "--seed", "1"]) == 0
    with open_run(tmp_path / "one") as query:
        shown, ran = filter_maps(View(query, "run1")), query.verdict().remarks[0]
        trust = build_report([query], ["trust"]).chapters[0].sections[0]
    assert ran == "0 of 12 checks ran."
    assert trust.caption.startswith("0 of 12 checks ran; "), "as the verdict says"
    assert shown is not None
    assert np.isfinite(shown.maps[0].courses.values).all()


def test_what_was_not_checked_comes_first(sections: dict[str, Section]) -> None:
    looked = cells(sections["trust"].items[0])
    assert looked[0][:2] == ("shifts of normalisation layers", "not checked: normalisation layers were not recorded")
    assert ("jumps of filters", "checked") in [row[:2] for row in looked]
    thresholds = next(item for item in sections["trust"].items if isinstance(item, Facts) and "Thresh" in item.title)
    assert [fact.value for fact in thresholds.facts] == ["20.0 %", "20.0 %"]
    assert sections["trust"].caption.startswith("11 of 12 checks ran; 1 more could not, but others find the same. ")


@pytest.mark.parametrize("document", ["README.md", "tests/truth/corpus/README.md"])
def test_the_published_accuracy_is_the_one_of_the_documents(document: str) -> None:
    from dtui.reports.sections.trust import ACCURACY

    plain = (Path(__file__).parents[2] / document).read_text(encoding="utf-8").replace("*", "").replace(" %", " %")
    for fact in ACCURACY:
        names = tuple(f"| {name}" for name in (fact.name, fact.name.replace(" incidents", ",")))
        (line,) = [line for line in plain.splitlines() if line.startswith(names)]
        assert f"| {fact.value.split()[0]} " in line, fact


def test_decisions_are_told_with_notes_and_who(tmp_path: Path) -> None:
    run = tmp_path / "run.dtui"
    shutil.copytree(SAMPLES / "mnist-faults.dtui", run)
    with open_run(run) as query:
        first, second, *_ = query.incidents()
        query.decide(first.id, "dismissed", "known")
        query.decide(second.id, "flagged", "<b>look</b>")
    with open_run(run) as query:
        part = build_report([query], sections=["review"]).chapters[0].sections[0]
    rows = cells(part.items[0])
    assert [(row[0], row[2], row[4]) for row in rows] == [("2", "flagged", "<b>look</b>"), ("1", "dismissed", "known")]
    assert all(row[5] and re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d (UTC|[+-]\d\d:\d\d)", row[6]) for row in rows)
    assert part.caption == "1 flagged, 2 with a decision or note, 3 still to review."


def test_nobody_has_decided_yet(sections: dict[str, Section]) -> None:
    assert sections["review"].items == (Paragraph("Nobody has decided on any of the 5 incidents yet."),)
    with open_run(SAMPLES / "mnist-dying.dtui") as query:
        part = build_report([query], sections=["review"]).chapters[0].sections[0]
    assert part.items == (Paragraph("Nobody has decided on the incident yet."),)


def test_further_scalars_have_a_chart_each() -> None:
    with open_run(SAMPLES / "mnist-faults.dtui") as query:
        part = build_report([query], sections=["curves"]).chapters[0].sections[0]
    assert [item.description.split(" over ")[0] for item in part.items][-1] == "learning rate"


@pytest.mark.parametrize("ending", ["html", "txt", "md"])
def test_names_from_outside_go_through_every_section_as_text(
    runs: dict[str, FakeQuery], tmp_path: Path, ending: str
) -> None:
    runs["a"] = FakeQuery(classes=["c"] * 12).with_names(HOSTILE)
    out = tmp_path / f"a.{ending}"
    result = write_report([Path("a")], out, sections=list(section_names()))
    assert result.problems == ()
    text = out.read_text(encoding="utf-8")
    assert "\x1b" not in text
    assert "\u202e" not in text
    if ending == "html":
        body = text.partition("<main>")[2].partition("</main>")[0]
        assert not re.search(r"<img(?! src=\"data:image/png)", body)
        assert not re.search(r"<script>", body)
        assert "{{7*7}}" in body


def test_an_incident_counts_all_filters_that_died_though_it_names_some() -> None:
    died = Evidence("dead", 10, layer="conv1", filters=tuple(range(32)), count=64, share=0.125)
    incident = Incident("i", Cause.DEAD, 10, 10, ("conv1",), tuple(range(32)), (), (died,), "", 2.0)
    assert filters_of(incident) == 64
    assert filters_of(replace(incident, cause=Cause.FILTER, filters=(3, 5))) == 2


def test_what_an_incident_is_of_is_called_one_where_it_is_one() -> None:
    expected = {
        "mnist-faults": [
            {"class": "4"},
            {"class": "1"},
            {"filters": "1, 4, 5, 8, 11, 14"},
            {"filter": "17"},
            {"class": "7"},
        ],
        "digits-segmentation": [{"group": "three"}, {"filter": "5", "group": "three"}],
        "mnist-dying": [{"classes": "0, 2, 9"}],
    }
    for name, told in expected.items():
        with open_run(SAMPLES / f"{name}.dtui") as query:
            (part,) = build_report([query], sections=["incidents"]).chapters[0].sections
        names = {"class", "classes", "group", "groups", "filter", "filters"}
        cards = [item for item in part.items if isinstance(item, Card)]
        assert [{one.name: one.value for one in card.facts if one.name in names} for card in cards] == told


def test_a_card_says_what_turned_wrong_where_no_class_is_named_and_what_later_records_may_change() -> None:
    """As the screen beside the list of incidents does."""
    with open_run(SAMPLES / "mnist-faults.dtui") as query:
        sections = build_report([query], sections=["incidents", "filters", "anomalies"]).chapters[0].sections
    part, filters, anomalies = sections
    turned = [
        [one.value for one in item.facts if one.name == "images"] for item in part.items if isinstance(item, Card)
    ]
    assert turned == [
        *([], []),
        ["33 images turned wrong at 1,010 (usually 11.5): 14 of class 7, 6 of class 3, 4 of class 2 …"],
        ["2 images turned wrong at 1,360 (usually 1): 1 of class 2, 1 of class 3"],
        [],
    ]
    assert filters.caption.endswith(". Dead: next to no gradient any more."), "a sentence begins as one"
    assert anomalies.caption.endswith(" The larger the score, the less usual."), "each column has a meaning"
    live = FakeQuery()
    first, *others = live.happened
    live.happened = (replace(first, is_final=False), *others)
    (part,) = build_report([live], sections=["incidents"]).chapters[0].sections
    open_still = [any(one.name == "so far" for one in item.facts) for item in part.items if isinstance(item, Card)]
    assert sum(open_still) == 1


def test_no_words_on_a_picture_are_wrong_in_the_dark() -> None:
    """A dark page draws what is strong in bright colours, so no caption may say that it is dark or pale."""
    with open_run(SAMPLES / "mnist-faults.dtui") as query:
        for part in build_report([query]).chapters[0].sections:
            assert not re.search(r"\b(dark|pale|bright|light)(er|est)?\b", part.caption), part.title


def test_groups_without_items_are_told_from_those_that_have_some() -> None:
    with open_run(SAMPLES / "digits-segmentation.dtui") as query:
        classes, made = build_report([query], sections=["classes", "made"]).chapters[0].sections
    assert classes.caption.startswith("5 groups, ")
    facts = [fact for item in made.items if isinstance(item, Facts) for fact in item.facts]
    (judged,) = (fact for fact in facts if fact.name == "items")
    assert judged.detail.startswith("of 5 of 6 groups; an item is right")
    told = run_info(Namespace(run=SAMPLES / "digits-segmentation.dtui", json=False)).text
    assert "120 of 300 items in 5 of 6 groups" in told


def test_each_section_with_a_screen_says_how_to_open_it(sections: dict[str, Section]) -> None:
    """The command opens that screen: its words are those of the terminal's own table."""
    known = {screen_word(screen.name) for screen in TABLE.every_screen}
    opened = {name: part.command for name, part in sections.items()}
    assert opened.pop("trust") == ""
    for name, command in opened.items():
        *head, screen = shlex.split(command)
        assert head[0] == "dtui", name
        assert head[2:4] == ["--at", "1360"], name
        assert head[-1] == "--screen", name
        assert screen in known, name
        assert OPEN.parser().parse_args(shlex.split(command)[1:]).screen == screen
    assert opened["filters"].endswith(" --layer layer3.0.conv1 --screen layers")


def test_a_run_without_incidents_opens_at_its_end_and_one_without_records_not_at_all() -> None:
    calm, empty = FakeQuery(incidents=False), FakeQuery(records=0)
    (part,) = build_report([calm], sections=["layers"]).chapters[0].sections
    assert part.command.endswith(f" --at {calm.info().last_iteration} --screen layers")
    assert {one.command for one in build_report([empty]).chapters[0].sections} <= {""}


@pytest.mark.parametrize("form", ["html", "md", "txt"])
def test_the_command_of_a_section_stands_in_each_format(form: str, tmp_path: Path) -> None:
    write_report([SAMPLES / "mnist-healthy.dtui"], tmp_path / f"a.{form}", sections=["made"])
    text = (tmp_path / f"a.{form}").read_text(encoding="utf-8")
    assert "--screen structure" in re.sub("</?span>", "", text)


def test_a_layer_called_by_a_number_is_told_from_how_much_it_moved() -> None:
    evidence = SimpleNamespace(became=(), moved=(SimpleNamespace(layer="3", times=15.0),), batch=None)
    (fact,) = _shown_by(cast(Any, None), cast(Any, evidence))
    assert fact.value == "layer 3 ×15 the usual"
