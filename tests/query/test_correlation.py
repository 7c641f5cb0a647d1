"""Anomaly filters of events, the grid of layers × classes, and what is read for them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dtui.errors import NotRecordedError, UsageError
from dtui.model import FILTER_STATISTICS, Anomaly, Evidence, Showing, Structure
from dtui.model.relations import Event, FilterChoice
from dtui.query import RunQuery
from dtui.query.relations.correlation import class_events
from dtui.store.format.contents import Stored, contents
from tests.oracle.relations import twins
from tests.query.fake_reader import EVERY, FakeReader

RATIO = FILTER_STATISTICS.index("update_ratio")
LAYER_OF = [0] * 4 + [1] * 6 + [2] * 6 + [3] * 5 + [4] * 3
EVENTS = (Event(2, 112, "a"), Event(0, 112, "b"), Event(2, 252, "c"), Event(None, 319, "d"), Event(0, 9, "e"))


def query_of(reader: FakeReader) -> RunQuery:
    return RunQuery(Path("fake.dtui"), reader)  # type: ignore[arg-type]


def at(reader: FakeReader, record: int) -> np.ndarray:
    return reader.filters[RATIO, :, record]


@pytest.mark.parametrize(
    ("choice", "left_out"),
    [
        (FilterChoice(), ()),
        (FilterChoice(count=3), ()),
        (FilterChoice(count=None, per_layer=2), ()),
        (FilterChoice(count=4, per_layer=1, exclude=("first-conv", "last-linear")), (0, 4)),
        (FilterChoice(exclude=("layer1.0.conv1", "fc", "fc")), (1, 4)),
    ],
)
def test_each_event_has_the_filters_of_its_record(query, reader, choice, left_out):
    reader.filters[RATIO, :, 0] = np.nan  # the first record has no updates
    reader.filters[RATIO, 5, 10] = np.nan
    allowed = [layer not in left_out for layer in LAYER_OF]
    answers = query.anomaly_filters(EVENTS, choice)
    assert [answer.event for answer in answers] == list(EVENTS)
    assert [answer.record for answer in answers] == [109, 109, 249, 319, 9]
    for answer, record in zip(answers, (10, 10, 24, 31, 0), strict=True):
        changes = at(reader, record)
        expected = twins.most_changed(changes, LAYER_OF, allowed, choice.count, choice.per_layer)
        assert answer.filters.tolist() == expected
        assert answer.changes.tolist() == changes[expected].tolist()
    assert len(answers[4].filters) == 0


def test_another_statistic_is_asked_for(query, reader):
    (answer,) = query.anomaly_filters([EVENTS[0]], FilterChoice("cosine_distance", 1))
    assert answer.filters.tolist() == [reader.filters[FILTER_STATISTICS.index("cosine_distance"), :, 10].argmax()]


def test_only_records_that_are_asked_for_are_read_and_each_once(query, reader):
    query.anomaly_filters(EVENTS)
    reads = [read for read in reader.reads if read[0] == "filters"]
    assert reads == [("filters", 0, 32)]  # they share a chunk
    many = FakeReader(records=200)
    query = query_of(many)
    query.anomaly_filters([Event(None, 9 + EVERY * place) for place in (3, 70, 71, 150)])
    assert [read for read in many.reads if read[0] == "filters"] == [
        ("filters", 3, 4),
        ("filters", 70, 72),
        ("filters", 150, 151),
    ]
    query.anomaly_filters([Event(0, 9 + EVERY * 70), Event(0, 9 + EVERY * 151)])
    assert [read for read in many.reads if read[0] == "filters"][3:] == [("filters", 151, 152)]


def test_a_run_that_grew_reads_what_is_new(query, reader):
    query.correlation(EVENTS)
    reader.grow(80, 70)
    query.refresh()
    before = len(reader.reads)
    query.correlation([*EVENTS, Event(1, 700)])
    assert [read for read in reader.reads[before:] if read[0] == "filters"] == [("filters", 69, 70)]


def test_another_choice_has_other_filters(query):
    for choice in (FilterChoice(count=3), FilterChoice(count=5), FilterChoice("update_norm", 5)):
        fresh = query_of(FakeReader()).anomaly_filters(EVENTS, choice)
        for ours, expected in zip(query.anomaly_filters(EVENTS, choice), fresh, strict=True):
            assert ours.filters.tolist() == expected.filters.tolist()


def test_records_that_were_recorded_anew_are_read_anew(query, reader):
    query.anomaly_filters(EVENTS)
    reader.joins = ("went on from a checkpoint",)
    reader.filters[RATIO] = reader.filters[RATIO][::-1]
    reader.grow(61, 50)
    query.refresh()
    changes = at(reader, 10)
    assert query.anomaly_filters(EVENTS)[0].filters.tolist() == twins.most_changed(
        changes, LAYER_OF, [1] * 24, 10, None
    )


def test_an_event_far_from_any_record_has_no_filters(query, reader):
    answers = query.anomaly_filters([Event(0, 5), Event(0, 599), Event(0, 609), Event(0, 610)])
    assert [answer.record for answer in answers] == [None, 599, 599, None]
    found = query.correlation([Event(0, 5), Event(0, 599), Event(1, 700)])
    assert found.record_of.tolist() == [-1, 0, -1]
    assert found.counts[:, 1].tolist() == [0] * 5


def test_watches_stand_for_their_own_iteration_alone():
    reader = FakeReader(watched=tuple(range(20, 28)))
    query = query_of(reader)
    answers = query.anomaly_filters([Event(0, 229), Event(0, 204), Event(0, 231), Event(0, 289)])
    assert [answer.record for answer in answers] == [229, 199, None, 289]  # 231: the last record is 199
    assert answers[0].filters.tolist() == twins.most_changed(at(reader, 22), LAYER_OF, [True] * 24, 10, None)


def test_the_grid_and_the_mini_sets_are_those_of_the_definition(query, reader):
    events = [Event(label, 12 + EVERY * place) for place in range(1, 40) for label in (0, 2, 3) if (place + label) % 3]
    events.append(Event(None, 219))
    choice = FilterChoice(count=4)
    found = query.correlation(events, choice)
    assert found.labels == (0, 2, 3, None)
    sets = {answer.event: set(answer.filters.tolist()) for answer in query.anomaly_filters(events, choice)}
    for column, label in enumerate(found.labels):
        union = set().union(*(own for event, own in sets.items() if event.label == label))
        assert found.counts[:, column].tolist() == [sum(LAYER_OF[row] == layer for row in union) for layer in range(5)]
    every = set().union(*sets.values())
    assert found.totals.tolist() == [sum(LAYER_OF[row] == layer for row in every) for layer in range(5)]
    first = [layer.first_filter for layer in reader.structure.layers]
    parts = [{first[one.layer] + filter for filter in one.filters} for one in found.mini_sets]
    assert sorted(map(sorted, parts)) == sorted(map(sorted, twins.mini_sets(list(sets.values()), LAYER_OF)))
    for one, part in zip(found.mini_sets, parts, strict=True):
        columns = [place for place, event in enumerate(found.events) if part <= sets[event]]
        assert found.columns_of(one).tolist() == columns
        assert (one.occurrences, one.importance) == (len(columns), len(columns) * len(part))
    order = [(one.layer, -one.importance, one.filters[0]) for one in found.mini_sets]
    assert order == sorted(order)
    assert found.row((1, 2)).tolist() == (found.counts[1] + found.counts[2]).tolist()
    least = query.correlation(events, choice, 13)
    assert least.mini_sets == tuple(one for one in found.mini_sets if one.importance >= 13)
    assert least.left_out == len(found.mini_sets) - len(least.mini_sets) > 0


def test_columns_are_in_order_whoever_gives_them(query):
    found = query.correlation(EVENTS)
    assert [event.id for event in found.events] == ["e", "b", "a", "c", "d"]
    assert found.labels == (0, 2, None)
    assert query.correlation(EVENTS[::-1]).events == found.events


@pytest.mark.parametrize("records", [0, 60])
def test_no_events_make_an_empty_grid(records):
    query = query_of(FakeReader(records=records, validations=0))
    found = query.correlation(query.class_events())
    assert (found.counts.shape, found.events, found.mini_sets, found.left_out) == ((5, 0), (), (), 0)
    events = (Event(1, 20),)
    assert query.correlation(events).counts.any() == (records > 0)


def test_one_layer_and_one_class():
    reader = FakeReader(per_class=(5,))
    layer = reader.structure.layers[0]
    reader.structure = Structure((layer,), (replace(reader.structure.modules[0], layers=(0,)),))
    reader.filters = reader.filters[:, :4]
    query = query_of(reader)
    found = query.correlation([Event(0, 112)], FilterChoice(count=2))
    assert found.counts.tolist() == [[2]]
    assert [len(one.filters) for one in found.mini_sets] == [2]


def test_a_filter_knows_its_events(query):
    choice = FilterChoice(count=6)
    answers = query.anomaly_filters(EVENTS, choice)
    for row in range(24):
        layer, first = LAYER_OF[row], LAYER_OF.index(LAYER_OF[row])
        expected = {answer.event for answer in answers if row in answer.filters}
        found = query.events_of_filter(layer, row - first, EVENTS, choice)
        assert set(found) == expected
        assert [(event.label is None, event.label, event.iteration) for event in found] == sorted(
            (event.label is None, event.label, event.iteration) for event in found
        )


def test_filters_that_changed_at_all_iterations(query, reader):
    found = query.most_changed([112, 252, 112, 319], FilterChoice(count=5))
    assert (found.iterations, found.records) == ((112, 252, 319), (109, 249, 319))
    changes = reader.filters[RATIO][:, [10, 24, 31]]
    expected = twins.most_changed_at_all(changes, LAYER_OF, [True] * 24, 5, None)
    first = [layer.first_filter for layer in reader.structure.layers]
    assert [(first[one.layer] + one.filter, list(one.ranks)) for one in found.filters] == expected
    assert [one.rank for one in found.filters] == [max(ranks) for _, ranks in expected]
    assert [one.change for one in found.filters] == [changes[row].min() for row, _ in expected]


@pytest.mark.parametrize(
    ("choice", "says"),
    [
        (FilterChoice("mean"), "change of filters 'mean' is unknown; use one of update_ratio, cosine_distance"),
        (FilterChoice(count=0), "filters a record: 0; use at least 1"),
        (FilterChoice(per_layer=0), "filters a layer: 0; use at least 1"),
        (FilterChoice(exclude=("layer1.0.conv",)), "no layer 'layer1.0.conv'; use layer1.0.conv"),
    ],
)
def test_a_choice_that_makes_no_sense_is_refused(query, choice, says):
    for ask in (
        lambda: query.correlation(EVENTS, choice),
        lambda: query.anomaly_filters((), choice),
        lambda: query.most_changed([112], choice),
        lambda: query.events_of_filter(0, 0, EVENTS, choice),
    ):
        with pytest.raises(UsageError, match=says):
            ask()


def test_places_that_are_not_there_are_refused(query):
    with pytest.raises(UsageError, match="class 9: the run has classes 0–3"):
        query.correlation([Event(9, 112)])
    with pytest.raises(UsageError, match="layer 5: the run has layers 0–4"):
        query.events_of_filter(5, 0, EVENTS)
    with pytest.raises(UsageError, match="layer fc filter 3: the layer has filters 0–2"):
        query.events_of_filter(4, 3, EVENTS)
    with pytest.raises(UsageError, match="importance 0; use at least 1"):
        query.correlation(EVENTS, None, 0)
    with pytest.raises(UsageError, match=r"iteration 5: no record is at it .* records from 9 to 599"):
        query.most_changed([112, 5])
    with pytest.raises(UsageError, match="no iteration is given"):
        query.most_changed([])
    with pytest.raises(UsageError, match="65 iterations are given; give at most 64"):
        query.most_changed(range(9, 74))
    with pytest.raises(UsageError, match="the run has no records yet"):
        query_of(FakeReader(records=0)).most_changed([3])


def test_a_run_without_the_statistic_says_so():
    query = query_of(FakeReader(contents=contents(2, ("weights",), (Stored("mean", ("weights",), 10),), ())))
    for ask in (query.correlation, query.anomaly_filters):
        with pytest.raises(NotRecordedError, match="update_ratio"):
            ask(EVENTS)
    with pytest.raises(NotRecordedError, match="update_ratio"):
        query.most_changed([112])


def anomaly(label: int | None, iteration: int, strength: float, status: str = "new") -> Anomaly:
    classes = () if label is None else (label,)
    evidence = Evidence("test", iteration, classes=classes, strength=strength)
    return Anomaly(f"{label}-{iteration}-{strength}", "test", evidence, Showing("▼", "lost", "lost"), status)


def test_anomalies_of_classes_are_events_once_each():
    found = class_events(
        [
            anomaly(1, 20, 0.5),
            anomaly(1, 20, 0.7),
            anomaly(0, 30, 0.1),
            anomaly(0, 10, 0.1, "dismissed"),
            anomaly(0, 20, 0.1, "flagged"),
            anomaly(None, 20, 9.0),
        ]
    )
    assert found == (Event(0, 20, "0-20-0.1"), Event(0, 30, "0-30-0.1"), Event(1, 20, "1-20-0.7"))


def test_damage_hides_filters_and_invents_none(query, reader):
    reader.filters[RATIO, :10, 10] = np.nan
    (answer,) = query.anomaly_filters([EVENTS[0]])
    assert min(answer.filters) >= 10
    reader.filters[RATIO, :, 24] = np.nan
    assert len(query.anomaly_filters([EVENTS[2]])[0].filters) == 0
