"""What annoyed people who used it for an hour, each as what they look for on the screen instead."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from textual.widgets import Input

from dtui.analysis.incidents.causes import MOST_FILTERS
from dtui.model import RunStatus, TreeNode
from dtui.model.findings.incident_evidence import TurnedWrong
from dtui.model.findings.incidents import Cause
from dtui.model.findings.review import NAMED_FILTERS, of_incident
from dtui.model.judging import Judging
from dtui.model.relations import Event
from dtui.query import RunQuery
from dtui.tui.opening import view_of
from dtui.tui.panes.layers.filter_inspector import acts_words
from dtui.tui.panes.runs.run_list import _opened_first
from dtui.tui.panes.table import TABLE
from dtui.tui.renderables.canvas.cells import Cells
from dtui.tui.renderables.canvas.output import Output
from dtui.tui.renderables.canvas.sgr import to_text
from dtui.tui.renderables.canvas.theme import DARK
from dtui.tui.renderables.panes.cube import _times
from dtui.tui.renderables.panes.entry_detail import EntryDetailPicture, turned_words
from dtui.tui.renderables.panes.key_bar import KeyBarPicture
from dtui.tui.renderables.panes.layers.tree_gutter import TreeRow, draw_name
from dtui.tui.renderables.panes.over.help import HelpBox
from dtui.tui.renderables.panes.ribbon import write_reading
from dtui.tui.renderables.panes.triage import TriagePicture
from dtui.tui.renderables.panes.validation.gallery import grid_of
from dtui.tui.screens.boxes import help_box
from dtui.tui.state.places.link import Link
from dtui.tui.state.questions import IncidentsQuestion
from dtui.tui.state.session import Session
from tests.tui.conftest import SAMPLES
from tests.tui.desk import Desk
from tests.tui.driving import running, screen_text, until
from tests.tui.test_triage import frame, incident, lines


@pytest.fixture(scope="module")
def faults() -> RunQuery:
    return RunQuery(SAMPLES / "mnist-faults.dtui")


def test_the_error_at_the_crosshair_stands_on_small_screens_too(faults: RunQuery) -> None:
    small = Desk(faults, (80, 24))
    assert "val 2.4%" in small.go(2390).panes()["ribbon"]
    assert "val 89.1%" in small.go(750).panes()["ribbon"]
    assert "val 89.1%" in small.press("L").panes()["ribbon"]
    assert "val 89.1%" in small.press("z").panes()["ribbon"]
    large = Desk(faults, (150, 50))
    assert "val" not in large.panes()["ribbon"]
    assert "5/5 to review · val" in large.press("2", "z").panes()["ribbon"]


def test_the_key_bar_tells_the_main_key_of_every_screen_in_80_columns(faults: RunQuery) -> None:
    desk = Desk(faults, (80, 24))
    for key, words in (("1", "Enter go there"), ("2", "s statistic"), ("3", "Enter its images"), ("6", "= compare")):
        bar = desk.press(key).panes()["bar"]
        assert words in bar
        assert "n/N incident" in bar


def test_the_help_says_what_enter_does_on_this_pane(faults: RunQuery) -> None:
    _, explained = help_box(Desk(faults).session.scene).left[0]
    assert ("Enter", "accent", "Go there.") in explained


def test_evidence_has_a_heading(faults: RunQuery) -> None:
    triage = Desk(faults).panes()["triage"].splitlines()
    assert triage[0].rstrip().endswith("evidence, ±20 records")
    assert triage[0].index("evidence") == min(triage[1].index(bar) for bar in "▁▂▇█" if bar in triage[1])


@pytest.mark.parametrize("size", [(60, 16), (80, 24), (100, 24), (150, 24), (300, 20)])
@pytest.mark.parametrize("listing", ["incidents", "anomalies"])
def test_curves_that_a_low_screen_hides_can_be_chosen_and_their_value_stands_there(
    faults: RunQuery, size, listing: str
) -> None:
    desk = Desk(faults, size).press(*(["L"] if listing == "anomalies" else []))
    assert "curves: loss" in desk.press("e").panes()["bar"]
    ribbon = desk.panes()["ribbon"]
    assert re.search(r"loss 0\.\d", ribbon), ribbon
    assert "val" not in ribbon
    assert "lr 0.0" in desk.press("e").panes()["ribbon"]


def test_a_long_name_leaves_the_value_of_a_hidden_curve_in_sight() -> None:
    for gutter, end, is_free in ((18, 16, False), (34, 12, True), (28, 18, False)):
        cells, narrow = Cells(80, 3, DARK), replace(frame(80, 3), gutter=gutter)
        assert write_reading(cells, narrow, "gradient max 12.3", end) is is_free
        assert re.search(r"grad.* 12\.3", to_text(cells)), to_text(cells)
        assert max(map(len, to_text(cells).splitlines())) < gutter


def test_what_hits_the_whole_network_is_not_called_by_its_first_class() -> None:
    entry = of_incident(incident(750, Cause.UPDATE, classes=(1, 2), layers=()))
    assert entry.incident is not None
    assert entry.incident.scope == "network"
    assert entry.place(("a", "b", "c")) == "whole network"
    one = of_incident(incident(430, Cause.CLASS, classes=(1,), layers=()))
    assert one.place(("a", "b", "c")) == "class b"


def test_a_ribbon_without_incidents_says_so_before_what_could_not_be_judged() -> None:
    ribbon = Desk(RunQuery(SAMPLES / "mnist-healthy.dtui")).panes()["ribbon"]
    assert "no incident; shifts of normalisation layers could not be judged" in ribbon


def test_the_name_of_a_module_comes_before_the_marks_of_its_filters() -> None:
    node = TreeNode(0, "layer2", "layer2", 0, -1, None, 0, (0,), "Sequential", "", 512, 0)
    where = frame(80, 3, 18)
    for name, shown in (("layer2", "layer2"), ("conv1", "conv1")):
        cells = Cells(80, 3, DARK)
        row = TreeRow(node, False, True, name, indent=1, dead=64, moving=11)
        draw_name(cells, where, row, 1, False)
        assert shown in to_text(cells, Output())
        assert "×64" in to_text(cells, Output())


def test_the_first_screen_says_why_a_training_crashed(faults: RunQuery) -> None:
    picture = TriagePicture((of_incident(incident(430)),), 0, 0, frozenset(), ("a",), footer=("more",), reason="why")
    assert [line.strip() for line in lines(picture, frame())[2:4]] == ["why", "more"]
    desk = Desk(faults)
    assert "crashed" not in desk.panes()["triage"]
    info = replace(desk.session.view.info, status=RunStatus.CRASHED, reason="RuntimeError: CUDA out of memory")
    desk.session.view = replace(desk.session.view, info=info)
    triage = desk.panes()["triage"].splitlines()
    assert triage[-3].strip() == "the training crashed: RuntimeError: CUDA out of memory"


def test_one_incident_is_not_incidents() -> None:
    desk = Desk(RunQuery(SAMPLES / "mnist-resumed.dtui"))
    assert "1 incident: 1 new" in desk.panes()["triage"]


def test_opening_the_open_run_from_the_list_selects_its_strongest_incident(faults: RunQuery) -> None:
    desk = Desk(faults)
    desk.session.choose(desk.session.selection.changed(entry=None))
    assert "j selects the first incident, N the last one before the crosshair" in desk.panes()["detail"]
    desk.press("6")
    desk.session.choose(_opened_first(desk.session.scene, desk.session.view.path))
    assert desk.screen == "Triage"
    assert "filter 17 of layer3.0.conv1" in desk.panes()["detail"]


async def test_the_palette_begins_with_the_keys_of_the_pane_and_says_what_may_be_typed() -> None:
    async with running(screen="1") as (app, pilot, _):
        await pilot.press("colon")
        await until(pilot, lambda: "Write a note" in screen_text(app))
        shown = screen_text(app).splitlines()
        assert "1003, class 4, a layer, f17, what is dead" in shown[-1]
        assert not app.screen.command_line.query_one(Input).cursor_blink
        first, note = shown[-9], next(row for row in shown if "Write a note" in row)
        assert re.search("go there +Enter", first)
        assert note.index("Write a note") == first.index("Open or close")
        await pilot.press(*"shift")
        await until(pilot, lambda: "1003, class 4" not in screen_text(app))
        await until(pilot, lambda: "nothing is called so" in screen_text(app))
        await pilot.press(*["backspace"] * 4)
        await until(pilot, lambda: "is called so" not in screen_text(app))


async def test_a_suggestion_that_is_too_long_is_cut_and_takes_one_row() -> None:
    async with running(size=(80, 24), screen="1") as (app, pilot, _):
        await pilot.press("colon", *"last")
        await until(pilot, lambda: "last row, follow" in screen_text(app))
        rows = screen_text(app).splitlines()
        at = next(y for y, row in enumerate(rows) if "last row, follow" in row)
        assert rows[at].rstrip().endswith("…")
        assert "newest" not in rows[at + 1]


def test_a_live_run_shows_what_was_last_known_until_the_next_answer(faults: RunQuery) -> None:
    """Where an answer is a record behind, its last values stand there, and no dot that comes and goes."""
    desk = Desk(faults)
    scene = desk.session.scene
    pictures, _ = desk.press("2").session.look()
    heat = next(picture for pane, picture in pictures.items() if pane.name == "filters")
    curves = next(picture for pane, picture in pictures.items() if pane.name == "curves")
    scene, last = desk.session.scene, 2400
    for picture, word in ((heat, r"value +[0-9]"), (replace(curves, values=None), r"loss +[0-9]")):
        pane = next(pane for pane in pictures if pane.name == ("filters" if picture is heat else "curves"))
        frame = scene.frame_of(pane, DARK, Output())
        assert frame.axis is not None
        grown = replace(frame, axis=replace(frame.axis, stop=frame.axis.stop * 1.01))
        assert re.search(word, to_text(picture.draw(grown, last))), word
        far = replace(frame, axis=replace(frame.axis, stop=frame.axis.stop * 2))
        assert not re.search(word, to_text(picture.draw(far, 2 * last - 20))), word


def test_arrow_keys_have_names_where_letters_cannot_draw_them() -> None:
    """< and > are keys of their own: they must not stand for the arrows."""
    keys = KeyBarPicture((("←/→", "cursor"), ("</>", "importance")))
    plain = replace(frame(60, 1), output=Output(ascii=True))
    assert to_text(keys.draw(plain), plain.output).split("  ")[:2] == [" <-/-> cursor", "</> importance"]
    box = HelpBox(((("Move", (("⇧←", "accent", "Ten left."),))),), ())
    assert any("shift+<-" in text for line in box.lines(plain) for text, *_ in line)


def test_arrow_keys_in_ascii_leave_room_for_judging_in_80_columns(faults: RunQuery) -> None:
    desk, plain = Desk(faults, (80, 24)).press("2"), Output(ascii=True)
    scene, (pictures, _) = desk.session.scene, desk.session.look()
    bar = next(pane for pane in pictures if pane.name == "bar")
    assert "f flag" in to_text(pictures[bar].draw(scene.frame_of(bar, DARK, plain)), plain)


def test_kinds_of_layers_differ_without_colours() -> None:
    for output in (Output(), Output(ascii=True)):
        cells = Cells(40, 2, DARK)
        for y, kind in enumerate(("Conv2d", "Linear")):
            node = TreeNode(y, "one", "one", 0, -1, y, None, (y,), kind, "", 4, 0)
            draw_name(cells, frame(40, 2), TreeRow(node, is_open=False, is_module=False, name="one"), y, False)
        one, other = to_text(cells, output).splitlines()
        assert one.strip()[0] != other.strip()[0]


def test_a_key_that_a_pane_uses_for_itself_is_told_once_and_as_the_pane_means_it(faults: RunQuery) -> None:
    desk = Desk(faults)
    desk.session.choose(desk.session.scene.opened("Compare"))
    bar = desk.panes()["bar"]
    assert "n/N divergence" in bar
    assert "incident" not in bar


def test_a_healthy_run_has_no_heading_without_content_and_no_fault_where_there_is_none() -> None:
    for size in ((60, 16), (80, 24), (150, 50)):
        panes = Desk(RunQuery(SAMPLES / "mnist-healthy.dtui"), size).panes()
        assert "No incident in" in panes["triage"]
        assert panes.get("detail", "").strip() == ""
        assert "recorder could not be judged" not in "".join(panes.values())
        said = " ".join(panes["triage"].split())
        assert "the flight recorder fired nothing, or was off (keep_around=0)" in said


def test_what_is_usual_is_told_as_a_number_of_images() -> None:
    for usual, said in (
        (1.0, "(usually 1)"),
        (2.5, "(usually 2.5)"),
        (12_345.0, "(usually 12,345)"),
        (float("nan"), "at 9:"),
    ):
        assert said in turned_words(TurnedWrong("i-1-1", 8, 9, 3, usual, ((0, 3),), ()), ("cat",))


@pytest.mark.parametrize(
    ("groups", "expected"),
    [
        (1, "3 items turned wrong at 9 (usually 1) · i shows them"),
        (2, "no group named; 3 items turned wrong at 9 (usually 1): 3 of all · i shows them"),
    ],
)
def test_of_one_group_alone_nobody_is_told_which(groups: int, expected: str) -> None:
    judging = Judging("F1", "higher", "threshold", 0.5, groups)
    assert turned_words(TurnedWrong("i-1-1", 8, 9, 3, 1.0, ((0, 3),), ()), ("all",), judging) == expected


def test_what_is_dead_can_be_gone_to_by_its_word_from_every_screen(faults: RunQuery) -> None:
    desk = Desk(faults).press("3", "N", "N")
    for layer in ("layer3.0.conv1", "layer2.1.conv1", "layer3.0.conv1"):
        assert desk.session.go("dead", 0) is None
        desk._answer()
        scene = desk.session.scene
        assert desk.screen == "Layers"
        assert scene.view.tree[scene.selection.node].name == layer


def test_questions_in_plain_words_go_where_the_answer_is(faults: RunQuery) -> None:
    """Only words of the place itself were found: of "what is dead" nothing, where "dead" led to it."""
    for line, screen, said in (
        ("what is dead", "Layers", "7 of 402 filters dead: layer2.1.conv1 1 4 5 8 11 14"),
        ("which neurons died?", "Layers", "dead filters"),
        ("where did it break", "Triage", "what broke at 1,360: layer3.0.conv1 filter 17"),
        ("what went wrong", "Triage", "what broke at 1,360"),
        ("why?", "Triage", "what broke at 1,360"),
        ("which class broke", "Triage", "what broke at 1,650: class 7"),
        ("class 4 broke", "Triage", "what broke at 430: class 4"),
        ("which filter moved", "Triage", "what broke at 1,360: layer3.0.conv1 filter 17"),
        ("worst images", "Gallery", "images always wrong"),
        ("is layer3.1.conv2 healthy", "Layers", "layer3.1.conv2 at 1,360: update ratio"),
        ("what happened at 430", "Triage", "what broke at 430: class 4"),
        ("at 1003", "Triage", "what happened then shows at 1,010"),
    ):
        desk = Desk(faults, (80, 24))
        assert desk.session.go(line, 0) is None, line
        message = desk.session.message
        desk._answer()
        assert desk.screen == screen, (line, desk.screen)
        assert said in f"{message}\n{desk.text()}", (line, message)
    assert desk.session.find_places("what is class 4", 1)[0].words == "class 4"
    assert desk.session.find_places("where do two runs part", 1)[0].words.startswith("compare with ")
    assert desk.session.find_places("class 4", 1)[0].hint == "Select this class."
    place = desk.session.find_places("class 4", 1)[0]
    assert desk.session.find_places("class 4", 1)[0] is place, "what there is to go to is gathered once for all letters"


def test_what_is_dead_is_gone_to_when_it_has_been_read(faults: RunQuery) -> None:
    """The first time the layer that was selected before stayed selected."""
    desk = Desk(faults).press("g")
    assert desk.session.go("what is dead", 0) is None
    desk._answer()
    scene = desk.session.scene
    assert scene.view.tree[scene.selection.node].name == "layer2.1.conv1"
    assert desk.session.find_places("dead", 1)[0].words == "dead filters: 7 in 2 layers"


def test_an_iteration_that_was_not_recorded_is_said_after_it_was_gone_to(faults: RunQuery) -> None:
    desk = Desk(faults)
    desk.session.go("993", 0)
    assert desk.session.message == "nothing was recorded at 993; this is the nearest"


def test_what_happened_between_two_records_is_gone_to_where_it_shows(faults: RunQuery) -> None:
    """Filters that died at 1,003 show in the record of 1,010: 1,000 was gone to, and the incident of 430 stayed."""
    for typed, iteration, said in (
        ("1003", 1010, "nothing was recorded at 1,003; what happened then shows at 1,010"),
        ("1351", 1360, "nothing was recorded at 1,351; what happened then shows at 1,360"),
        ("430", 430, ""),
        ("760", 760, ""),
    ):
        desk = Desk(faults).press("g")
        desk.session.go(typed, 0)
        assert (desk.session.message, desk.session.selection.cursor) == (said, iteration)
        entry = desk.session.view.find_entry(desk.session.selection.entry)
        assert entry is not None
        assert entry.is_at(iteration)
        assert desk.session.targets() == (entry,)
        link = Desk(faults, link=Link(at=int(typed)))
        assert (link.session.message, link.session.selection.entry) == (said, entry.id)


def test_a_typed_iteration_leaves_the_layer_that_is_looked_at(faults: RunQuery) -> None:
    desk = Desk(faults).press("2", "j", "j")
    layer = desk.session.selection.node
    desk.session.go("1003", 0)
    assert desk.session.selection.node == layer
    assert desk.press("1", "enter").session.view.tree[desk.session.selection.node].name == "layer2.1.conv1"


def test_enter_on_an_incident_goes_to_its_iteration_too(faults: RunQuery) -> None:
    """It went to the class and stayed at another iteration, where the class was healthy."""
    desk = Desk(faults).press("g").go(1500).press("enter")
    assert (desk.screen, desk.session.selection.cursor) == ("Validation", 430)


def test_the_correlation_says_what_it_counts_on_small_screens_too(faults: RunQuery) -> None:
    """It said "largest updat…"."""
    small, large = (Desk(faults, size).press("4").panes()["incident_grid"] for size in ((80, 24), (150, 50)))
    assert "  10 filters of largest update ratio at each incident  1" in small.split("\n")[0]
    assert "10 filters of largest update ratio at each incident · " in large.split("\n")[0]


def test_q_leads_back_from_where_enter_led_and_the_key_bar_says_so(faults: RunQuery) -> None:
    """It left the program."""
    desk = Desk(faults, (80, 24))
    assert desk.panes()["bar"].rstrip().endswith("? help  q quit")
    assert desk.press("enter").screen == "Layers"
    assert desk.panes()["bar"].rstrip().endswith("? help  q back")
    active = next(picture.active for pane, picture in desk.session.look()[0].items() if pane.name == "top")
    assert active == 1
    assert desk.press("tab", "enter", "q", "q").screen == "Triage"
    assert not desk.session.go_back()
    assert desk.press("2").panes()["bar"].rstrip().endswith("? help  q quit")


def test_enter_on_the_whole_network_shows_the_layer_that_moved_most_and_says_so(faults: RunQuery) -> None:
    """It showed whatever layer had been selected before."""
    desk = Desk(faults, (80, 24)).press("g", "n")
    assert desk.press("enter").screen == "Validation"  # it names a class
    assert desk.press("2").panes()["tree"].count("layer1.2.conv1 at 7") == 1
    desk = Desk(faults, (80, 24)).press("g", "n")
    session, of = desk.session, desk.session.selection.entry
    alone = tuple(replace(one, classes=()) if one.id == of else one for one in session.scene.entries)
    session.view = replace(session.view, review=session.view.review.having("incidents", alone))
    desk.press("enter")
    assert (desk.screen, session.message) == (
        "Layers",
        "whole network: layer1.2.conv1 moved most, 17.9 times its usual",
    )
    assert "layer1.2.conv1 at 750" in desk.panes()["tree"]


def test_the_other_list_begins_at_the_crosshair_and_the_way_back_leads_to_the_same_incident(faults: RunQuery) -> None:
    """L and L again left nothing selected, and an empty half of the screen."""
    desk = Desk(faults).press("g")
    incident_id = desk.session.selection.entry
    there = desk.press("L")
    entry = there.session.view.find_entry(there.session.selection.entry)
    assert entry is not None
    assert (entry.noun, entry.iteration) == ("anomaly", 430)
    assert "evidence, ±20 records" not in there.panes()["triage"]
    assert desk.press("L").session.selection.entry == incident_id
    assert "evidence, ±20 records" in desk.panes()["triage"]


def test_a_class_whose_name_says_so_is_not_a_class_class() -> None:
    entry = of_incident(incident(430, Cause.CLASS, classes=(0, 1), layers=()))
    for names, place in ((("class 878", "b"), "class 878 and 1 more"), (("classic", "b"), "class classic and 1 more")):
        assert entry.place(names) == place
    events = (Event(0, 30, "a"), Event(1, 30, "b"))
    assert "class_0 at 30 · class b at 30" in acts_words(events, ("class_0", "b"))[0]


def test_a_low_list_shows_incidents_before_quiet_lines(faults: RunQuery) -> None:
    """At 60×16 two of five incidents were seen, and two lines about other things."""
    low, usual = Desk(faults, (60, 16)), Desk(faults, (80, 24))
    assert sum(" ◆ " in line or " ▼ " in line or " ≋ " in line for line in low.panes()["triage"].splitlines()) == 4
    assert "L lists them" not in low.panes()["triage"]
    assert "L lists them" in low.press("z").panes()["triage"]
    assert "L lists them" in usual.panes()["triage"]


def test_a_key_that_does_nothing_here_says_where_it_does_something(faults: RunQuery) -> None:
    desk = Desk(faults).press("1")
    for key, said in (
        ("v", "other view: not here, but on 2 Layers, 3 Validation, 5 Cube"),
        ("d", "align by: not here, but on Compare"),
    ):
        assert desk.press(key).session.message == said


def test_what_is_usual_in_the_cube_is_once_the_usual() -> None:
    assert [_times(shade) for shade in (-0.001, 0.001, -1.0, 0.5, 1.0)] == ["×1", "×1", "÷10+", "×3.2", "×10+"]


def test_of_filters_that_are_more_than_an_incident_names_no_number_is_invented() -> None:
    many = of_incident(incident(1, Cause.DEAD, layers=("conv",), filters=tuple(range(MOST_FILTERS)), classes=()))
    assert NAMED_FILTERS == MOST_FILTERS
    assert many.place(()) == "conv, 32+ filters"
    assert "and more of conv" in " ".join(EntryDetailPicture(many, ())._where())


def test_a_layer_that_has_only_a_number_is_called_a_layer() -> None:
    """ "filter 5 of 2" reads as a count, in a network that is an `nn.Sequential`."""
    one = of_incident(incident(1, Cause.DEAD, layers=("2",), filters=(5,), classes=()))
    assert "filter 5 of layer 2" in " ".join(EntryDetailPicture(one, ())._where())


def test_enter_goes_to_the_validation_that_shows_what_the_class_became(faults: RunQuery) -> None:
    """The cause is at 1,650; most images are wrong at 1,660, of which the evidence tells."""
    desk = Desk(faults).press("1").press("G").press("enter")
    assert desk.session.scene.screen.name == "Validation"
    assert desk.session.selection.cursor == 1_660
    assert desk.press("N").session.selection.cursor < 1_650, "the crosshair is on the incident"


@pytest.mark.parametrize(
    ("size", "images", "columns"), [((300, 65), 2, 28), ((300, 65), 97, 16), ((80, 19), 2, 28), ((80, 19), 9, 10)]
)
def test_few_images_are_shown_larger_as_long_as_all_are_on_the_screen(size, images, columns) -> None:
    grid, usual = grid_of(*size, images=images), grid_of(*size)
    assert grid.size == columns
    assert grid.size == usual.size or grid.columns * grid.rows >= images
    small = grid_of(*size, images=images, across=16)
    assert small.size == min(columns, 16), "pictures of 16 pixels do not fill 28 columns"
    assert grid_of(*size, images=images, across=8).size % 8 == 0


def test_a_chart_that_spans_decades_says_that_its_scale_is_logarithmic(faults: RunQuery) -> None:
    """The bars of 2e-4 stood a quarter as high as that of 14,728."""
    shown = Desk(faults).panes()["detail"]
    assert "filter 17 of layer3.0.conv1 in one record, ‖Δw‖ / ‖w‖ · log scale" in shown
    assert "error of class 4 · log scale" not in Desk(faults).press("g").panes()["detail"]


def test_evidence_uses_the_room_of_a_large_screen(faults: RunQuery) -> None:
    """At 300×80 two thirds of the screen were empty beside pictures of 14 columns."""
    used = []
    for size in ((150, 50), (300, 80)):
        shown = Desk(faults, size).press("g").panes()["detail"].splitlines()
        used.append(max(len(line.rstrip()) for line in shown if "▀" in line))
    assert used[1] > 1.6 * used[0]


def test_a_key_that_comes_before_the_data_waits_for_them(faults: RunQuery) -> None:
    """Over a slow link, or in a large run: Enter on a filter did nothing where its pane was still loading."""
    desk = Desk(faults)
    for action in ("screen_layers", "pane", "fold_toggle"):
        desk.session.perform(action)
    assert desk.screen == "Layers"
    desk._answer()
    assert desk.screen == "filter"
    session = Session(TABLE, view_of(faults, 0), 150, 50)
    session.perform("entry_next")
    session.answered(IncidentsQuestion(), IncidentsQuestion().ask(faults))
    assert session.selection.entry == "incident-1650-class-class7"  # after 1,360, which is selected by itself


def test_a_key_that_had_no_effect_is_forgotten_with_the_next_and_when_nothing_is_missing(faults: RunQuery) -> None:
    desk = Desk(faults)
    for action in ("screen_layers", "pane", "fold_toggle", "row_up"):
        desk.session.perform(action)
    desk._answer()
    assert desk.screen == "Layers"
    desk = Desk(faults).press("6", "enter")
    assert desk.session._kept is None
