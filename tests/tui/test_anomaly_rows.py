"""The list of anomalies: one row for an event, however many rules found it."""

from __future__ import annotations

import re

import pytest

from dtui.model import AnomalySettings
from dtui.model.findings.review import of_anomalies
from dtui.query import RunQuery
from dtui.tui.renderables.panes.ribbon import label_of
from dtui.tui.renderables.panes.triage import TriagePicture
from dtui.tui.state.review.entry_steps import select_entry
from tests.anomalies import class_anomaly
from tests.tui.conftest import SAMPLES, GrowingRun
from tests.tui.desk import Desk
from tests.tui.test_triage import CLASSES, frame, lines


@pytest.fixture(scope="module")
def faults() -> RunQuery:
    return RunQuery(SAMPLES / "mnist-faults.dtui")


def test_what_two_rules_say_of_one_class_at_one_iteration_is_one_row_that_names_both():
    found = (
        class_anomaly(70, "gained", 0.25, 2, rule="right", score=1.0),
        class_anomaly(70, "gained", 0.32, 2, score=2.0),
        class_anomaly(70, "lost", 0.3, 1),
        class_anomaly(80, "gained", 0.3, 2),
    )
    entries = of_anomalies(found)
    assert [entry.iteration for entry in entries] == [70, 70, 80]
    shown = lines(TriagePicture(entries, 0, 0, frozenset(), CLASSES), frame(100, 8))
    assert "class 8 gained 32% · left and right rule" in shown[1]
    assert "class dog lost 30% · left rule" in shown[2]
    assert label_of(entries[0].anomalies, CLASSES, 60) == "▲ class 8 gained 32% · left and right rule @70"


def test_a_decision_about_a_row_is_about_all_that_it_holds(faults: RunQuery) -> None:
    desk = Desk(faults).press("L")
    assert "60 anomalies in 56 rows: 56 new" in desk.panes()["triage"]
    assert "56/56 to review" in desk.panes()["ribbon"]
    both = next(entry for entry in desk.session.scene.entries if len(entry.ids) == 2)
    desk.session.choose(select_entry(desk.session.scene, both.ids[1]))
    assert desk.session.selection.entry == both.id
    decisions = desk.session.perform("flag")
    assert {decision.entry for decision in decisions} == set(both.ids)
    assert "flagged: class" in desk.session.message
    assert "60 anomalies in 56 rows: 55 new, 1 flagged" in desk.panes()["triage"]
    assert {one.status for one in desk.session.view.anomalies if one.id in both.ids} == {"flagged"}
    assert {decision.entry for decision in desk.session.perform("undo")} == set(both.ids)
    assert "60 anomalies in 56 rows: 56 new" in desk.panes()["triage"]


def test_the_advisor_tells_what_each_threshold_marks_and_enter_uses_one(faults: RunQuery) -> None:
    advice = faults.advise()
    desk = Desk(faults, (150, 40)).press("p")
    table = desk.panes()["advisor"]
    for row in advice.rows:
        words = (
            rf"{row.threshold:.0%} +{row.marked} validations? +{row.marked / advice.counted:.1%} .* {row.marks} class"
        )
        note = "  proposed" if row.threshold == advice.proposed else ""
        assert re.search(rf"^[▌ ] +{words} marks{note} *$", table, re.MULTILINE), table
    assert "20% is the smallest that marks 5% of them or fewer." in table
    assert "43.3 at 0.05, 5.56 at 0.005" in table
    assert [line[0] for line in table.splitlines() if "  proposed" in line] == ["▌"], "that row is selected first"
    desk.press("j", "enter")
    settings = AnomalySettings("left", advice.window, "share", 0.25)
    assert (desk.screen, desk.session.selection.listing) == ("Triage", "anomalies")
    assert desk.session.selection.anomaly_settings == settings
    assert f"{len(faults.anomalies(settings))} anomalies" in desk.panes()["triage"]
    assert re.search(r"25% .* in use", desk.press("p").panes()["advisor"])
    assert (desk.press("k", "enter").session.selection.listing, desk.screen) == ("anomalies", "Triage")


def test_what_marks_nothing_has_no_bar() -> None:
    table = Desk(RunQuery(SAMPLES / "mnist-healthy.dtui"), (150, 40)).press("p").panes()["advisor"]
    assert re.search(r"^ +25% +1 validation +0\.5%  \S+ +1 class mark *$", table, re.MULTILINE), table
    assert re.search(r"^ +60% +0 validations +0\.0% +0 class marks *$", table, re.MULTILINE), table


def test_the_advisor_calls_a_group_a_group() -> None:
    table = Desk(RunQuery(SAMPLES / "digits-segmentation.dtui"), (150, 40)).press("p").panes()["advisor"]
    assert "share of a group" in table
    assert "class" not in table.lower()


def test_the_advisor_says_why_it_has_nothing_to_say(growing_run: GrowingRun) -> None:
    growing_run.grow(3)
    desk = Desk(RunQuery(growing_run.path), (100, 40)).press("p")
    assert re.search(r"3 validations *\n *advice on a threshold needs 25; Esc goes back", desk.panes()["advisor"])
    assert "use it" not in desk.panes()["bar"]
    assert desk.press("enter").screen == "Thresholds"


def test_the_advisor_scrolls_where_it_has_little_room(faults: RunQuery) -> None:
    desk = Desk(faults, (60, 16)).press("p", "G")
    assert "60%" in desk.panes()["advisor"]
    assert " 6%" not in desk.panes()["advisor"]
    assert " 6%" in desk.press("g").panes()["advisor"]
