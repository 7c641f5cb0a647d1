"""A link that the key y copies leads back to the same view, on every screen; what is not there is the nearest."""

from __future__ import annotations

import shlex
from dataclasses import replace

import pytest

from dtui.cli.on_screen.opening import OPEN, PLACE
from dtui.query import RunQuery
from dtui.tui.opening import view_of
from dtui.tui.panes.runs.comparing import CompareOptions
from dtui.tui.panes.table import TABLE
from dtui.tui.state.places.link import Link
from dtui.tui.state.questions import IncidentsQuestion
from dtui.tui.state.session import Session
from tests.tui.conftest import SAMPLES
from tests.tui.desk import Desk

RUN = SAMPLES / "mnist-faults.dtui"
WAYS = {
    "Triage": ("1", "k"),
    "Layers": ("2", "j", "j"),
    "Validation": ("3", "N"),
    "Correlation": ("4", "k"),
    "Cube": ("5", "N", "N"),
    "filter": ("2", "tab", "j", "enter"),
    "structure": ("2", "T"),
    "Gallery": ("3", "N", "i"),
    "Image": ("3", "tab", "j", "j", "enter"),
    "Confusion": ("3", "n", "C"),
    "batch": ("D",),
    "Thresholds": ("p",),
}


@pytest.fixture(scope="module")
def faults() -> RunQuery:
    return RunQuery(RUN)


def copied(desk: Desk) -> list[str]:
    """What y copies now, as the words of a shell."""
    return shlex.split(desk.session.link(RUN))


def followed(query: RunQuery, words: list[str]) -> Desk:
    """The run opened by a command, as a shell reads it."""
    options = OPEN.parser().parse_args(words[1:])
    return Desk(query, link=Link(**{name: getattr(options, name) for name in PLACE}))


def test_every_screen_has_a_way_here():
    assert set(WAYS) == {screen.name for screen in TABLE.every_screen} - {
        "Runs",  # as Triage; below
        "Compare",  # needs two runs; below
        "filter and images",  # this run has no activations; below
    }


@pytest.mark.parametrize("name", WAYS)
def test_a_copied_link_leads_back_to_the_same_view(faults: RunQuery, name: str) -> None:
    desk = Desk(faults).press(*WAYS[name])
    assert desk.screen == name
    words = copied(desk)
    again = followed(faults, words)
    there, here = again.session.selection, desk.session.selection
    assert again.screen == name
    assert (there.cursor, there.entry) == (here.cursor, here.entry)
    for one in (desk, again):
        one.session.message = ""
    assert again.text() == desk.text()
    assert copied(again) == words


@pytest.mark.parametrize("key", ["A", "i"])
def test_a_link_to_a_list_of_images_leads_back_to_it(faults: RunQuery, key: str) -> None:
    desk = Desk(faults).press("3", key)
    assert followed(faults, copied(desk)).panes()["tiles"] == desk.panes()["tiles"]


def test_a_link_to_the_gallery_alone_shows_what_is_forgotten_most_often(faults: RunQuery) -> None:
    desk = followed(faults, ["dtui", str(RUN), "--at", "1360", "--screen", "gallery"])
    assert "forgotten most often" in desk.panes()["tiles"].split("\n")[0]
    assert "there is no" not in desk.text()
    of_class = followed(faults, ["dtui", str(RUN), "--at", "1360", "--class", "4", "--screen", "gallery"])
    assert "class 4" in of_class.panes()["tiles"].split("\n")[0]


def test_a_link_keeps_what_time_is_shown(faults: RunQuery) -> None:
    desk = Desk(faults).press("2", "plus", "plus")
    here, there = (one.session.selection.window for one in (desk, followed(faults, copied(desk))))
    assert here is not None
    assert there == pytest.approx(here, abs=1)


def test_a_link_to_an_incident_opens_it_when_the_detectors_have_answered(faults: RunQuery) -> None:
    words = ["dtui", str(RUN), "--incident", "incident-430-class-class4"]
    desk = followed(faults, words)
    assert desk.session.selection.cursor == 430
    assert "the error of class 4 rose" in desk.panes()["detail"]
    shown = followed(faults, [*words, "--screen", "confusion"])
    assert (shown.screen, shown.session.selection.cursor) == ("Confusion", 430)
    assert followed(faults, [*words, "--screen", "thresholds"]).screen == "Thresholds"


@pytest.mark.parametrize(
    ("words", "screen", "said"),
    [
        (["--at", "433"], "Triage", "nothing was recorded at 433; this is the nearest"),
        (["--layer", "layer3.0.conv7"], "Layers", "there is no layer layer3.0.conv7: this is layer3.0"),
        (["--layer", "lair3"], "Layers", "there is no layer lair3: this is layer3"),
        (["--layer", "fc", "--filter", "99"], "Layers", "there is no filter 99: the layer has 10, this is 9"),
        (["--class", "17"], "Validation", "there is no class 17: this is 9"),
        (["--class", "cat"], "Triage", "there is no class cat"),
        (
            ["--at", "999999", "--class", "17", "--layer", "layer3.0.conv7"],
            "Validation",
            "; no layer layer3.0.conv7: layer3.0; no class 17: 9",
        ),
        (["--image", "5000"], "Image", "there is no image 5000: this is 999, the nearest"),
        (["--list", "worst"], "Gallery", "there is no list worst; give always-wrong, hard"),
        (["--screen", "layer"], "Layers", "there is no screen layer: this is Layers"),
        (["--screen", "?"], "Triage", "there is no screen ?; give triage, layers, validation"),
        (["--screen", "compare"], "Triage", "to compare, name two runs: dtui A B --screen compare"),
        (
            ["--incident", "nothing", "--at", "760"],
            "Triage",
            "there is no incident nothing: this is the nearest, at 750",
        ),
        (
            ["--incident", "incident-440-gone"],
            "Triage",
            "there is no incident incident-440-gone: this is the nearest, at 430",
        ),
    ],
)
def test_what_a_link_names_and_is_not_there_is_the_nearest_and_said(
    faults: RunQuery, words: list[str], screen: str, said: str
) -> None:
    desk = followed(faults, ["dtui", str(RUN), *words])
    assert said in desk.session.message
    assert desk.screen == screen


def test_names_stay_as_they_are_where_several_things_are_said_shortly(faults: RunQuery) -> None:
    odd = "there is no : this is it"
    desk = followed(faults, ["dtui", str(RUN), "--at", "433", "--layer", odd, "--class", f"{odd} nothing was"])
    assert desk.session.message == f"no record at 433; this is the nearest; no layer {odd}; no class {odd} nothing was"


def test_a_key_ends_the_wait_for_the_incident_of_a_link(faults: RunQuery) -> None:
    session = Session(TABLE, view_of(faults, 0), 150, 50, link=Link(incident="incident-430-class-class4"))
    session.perform("screen_layers")
    session.answered(IncidentsQuestion(), IncidentsQuestion().ask(faults))
    assert session.selection.cursor != 430


def test_a_link_of_a_comparison_names_both_runs(faults: RunQuery) -> None:
    other = str(SAMPLES / "mnist-healthy.dtui")
    view = replace(view_of(faults, 0), given=(str(RUN), other))
    options = CompareOptions(other=other)
    desk = Desk(faults)
    scene = desk.session.scene
    desk.session.choose(scene.at(scene.selection.put(options)).opened("Compare").with_cursor(430))
    words = copied(desk)
    assert words == ["dtui", str(RUN), other, "--at", "430", "--screen", "compare"]
    link = Link(**{name: getattr(OPEN.parser().parse_args(words[1:]), name) for name in PLACE})
    session = Session(TABLE, view, 150, 50, link=link)
    assert session.scene.screen.name == "Compare"
    assert session.selection.get(CompareOptions).other == other
