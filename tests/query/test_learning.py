"""Lists of images, confusions and densities, on a run in memory: what is lost or not judged, and what is refused."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from dtui.errors import UsageError
from dtui.model import NO_VALUE, NOT_JUDGED, AnomalySettings, Trigger
from dtui.model.learning import IMAGE_LISTS
from dtui.query import RunQuery
from dtui.query.labels.kept_learning import learning
from tests.query.fake_reader import EVERY, FakeReader


def query_of(reader: FakeReader) -> RunQuery:
    return RunQuery(Path("fake.dtui"), reader)  # type: ignore[arg-type]


@dataclass
class HolesReader(FakeReader):
    """Lost labels, and images that were not judged."""

    def __post_init__(self) -> None:
        super().__post_init__()
        random = np.random.default_rng(3)
        self.holes = random.choice([0, NO_VALUE, NOT_JUDGED], self.labels.shape, p=[0.9, 0.05, 0.05])
        self.holes[11] = NOT_JUDGED

    def read_labels(self, images: slice, validations: slice) -> np.ndarray:
        labels = np.where(self.holes < 0, self.holes, self.labels.astype(np.int32))
        return self._read("labels", labels[images], validations, self.validations)


@pytest.fixture
def reader() -> HolesReader:
    return HolesReader()


def history(reader: HolesReader, image: int) -> list[tuple[int, int]]:
    """Validation and label of each judgement."""
    return [(at, int(reader.labels[image, at])) for at in range(reader.validations) if reader.holes[image, at] == 0]


@pytest.mark.parametrize("name", IMAGE_LISTS)
@pytest.mark.parametrize("label", [None, 2])
def test_images_of_a_list_have_their_history(query, reader, name, label):
    reader.labels[3] = 1
    reader.labels[4, :49] = 2
    reader.labels[4, 49] = 0
    reader.holes[4, 49] = 0
    reader.labels[100] = 2
    found = query.image_list(name, label)
    assert found.total == len(found.images)
    assert found.images or (name, label) in {("always-wrong", 2), ("never-learned", 2)}
    assert label is None or {image.target for image in found.images} <= {label}
    for image in found.images:
        told, target = history(reader, image.image), int(reader.targets[image.image])
        assert (image.id, image.target, image.judged) == (f"id{image.image}", target, len(told))
        wrong = Counter(label for _, label in told if label != target)
        assert image.wrong == sum(wrong.values())
        right = [at for at, label in told if label == target]
        assert image.first_right == (reader.validation_iterations[right[0]] if right else None)
        most = max(wrong.values(), default=0)
        usual = min((label for label, count in wrong.items() if count == most), default=None)
        assert (image.taken_for, image.taken_for_times) == (usual, most)
        assert image.is_right_at_last == (told[-1][1] == target)
    if name == "always-wrong" and label is None:
        assert [image.image for image in found.images] == [3]
    if name == "never-learned" and label is None:
        assert [image.image for image in found.images] == [3, 4]


def test_the_top_of_a_list_is_its_beginning_and_reads_no_more(query, reader):
    whole = query.image_list("hard")
    before = len(reader.reads)
    some = query.image_list("hard", top=4)
    assert some.images == whole.images[:4]
    assert some.total == whole.total > 4
    assert len(reader.reads) - before == 1


def test_a_run_that_grew_is_judged_anew(query, reader):
    before = learning(query._data).judged.sum()
    reader.grow(60, 70)
    query.refresh()
    assert learning(query._data).judged.sum() > before
    fresh = query_of(HolesReader(validations=70))
    assert query.image_list("forgotten") == fresh.image_list("forgotten")


@pytest.mark.parametrize(
    "reader", [FakeReader(validations=0), FakeReader(with_images=False, validations=0), FakeReader(per_class=(0, 0))]
)
@pytest.mark.parametrize("name", IMAGE_LISTS)
def test_without_images_or_validations_lists_are_empty(reader, name):
    found = query_of(reader).image_list(name)
    assert (found.total, found.images) == (0, ())


def test_lists_of_one_class_and_one_validation():
    query = query_of(FakeReader(per_class=(5,), validations=1))
    assert query.image_list("hard").total == query.image_list("always-wrong").total
    assert query.image_list("never-learned").total == query.image_list("easy").total == 0


def test_what_is_no_list_is_refused(query):
    with pytest.raises(UsageError, match="'nice' is unknown; use one of always-wrong, hard, easy, never-learned"):
        query.image_list("nice")
    with pytest.raises(UsageError, match="class 4: the run has classes 0–3"):
        query.image_list("hard", 4)
    with pytest.raises(UsageError, match="the top 0; ask for at least 1"):
        query.image_list("hard", top=0)


# --- confusion
@pytest.mark.parametrize(("iteration", "at"), [(12, 0), (21, 0), (22, 1), (509, 49), (599, 49)])
def test_confusion_is_that_of_the_last_validation(query, reader, iteration, at):
    found = query.confusion(iteration)
    told = [(int(target), dict(history(reader, image)).get(at)) for image, target in enumerate(reader.targets)]
    expected = Counter(pair for pair in told if pair[1] not in (None, pair[0]))
    judged = Counter(target for target, label in told if label is not None)
    assert found.iteration == reader.validation_iterations[at]
    assert {(pair.target, pair.label): pair.count for pair in found.pairs} == expected
    assert all(pair.share == pair.count / judged[pair.target] for pair in found.pairs)
    order = [(-pair.count, pair.target, pair.label) for pair in found.pairs]
    assert order == sorted(order)
    assert found.before == (() if at == 0 else (found.iteration - EVERY,))
    assert found.after == (found.iteration,)
    assert bool(found.grown) == (at > 0)


def test_growth_compares_windows(reader):
    reader.labels[:] = reader.targets[:, None]
    reader.holes[:] = 0
    reader.labels[:35, 20:] = 3  # half of class 0
    reader.labels[70:75, 18:] = 1  # a quarter of class 1: no confusion
    reader.labels[90:106, 19:21] = 1  # a quarter of class 2, for two validations
    query = query_of(reader)
    found = query.confusion(212, 3)
    assert (found.before, found.after) == ((182, 192, 202), (212, 222, 232))
    first = found.grown[0]
    assert (first.target, first.label, first.before, first.after, first.count) == (0, 3, 0, 0.5, 35)
    assert first.score == pytest.approx(0.5 * math.sqrt(35))
    assert [(one.target, one.label) for one in found.grown] == [(0, 3)]
    assert [(one.target, one.label) for one in query.confusion(202).grown] == [(2, 1)]
    assert query.confusion(502, 100).after == (502,)


def test_a_class_that_was_not_judged_before_did_not_grow(reader):
    reader.labels[154:] = 0
    reader.holes[154:, 30] = NO_VALUE
    query = query_of(reader)
    assert 3 not in {change.target for change in query.confusion(12 + 31 * EVERY).grown}
    assert 3 not in {pair.target for pair in query.confusion(12 + 30 * EVERY).pairs}


def test_confusions_of_a_class_over_time(query, reader):
    found = query.confusion_times(2)
    assert found.iterations.tolist() == reader.validation_iterations.tolist()
    for at in range(reader.validations):
        here = query.confusion(int(found.iterations[at]))
        expected = {pair.label: pair.count for pair in here.pairs if pair.target == 2}
        ours = dict(zip(found.labels.tolist(), found.counts[:, at].tolist(), strict=True))
        assert {label: count for label, count in ours.items() if count} == expected
    with pytest.raises(UsageError, match="class 7: the run has classes 0–3"):
        query.confusion_times(7)


@pytest.mark.parametrize(
    ("iteration", "window", "says"),
    [
        (11, 1, "iteration 11: the run has validations from 12 to 502 and ends at 599"),
        (600, 1, "iteration 600: the run has validations from 12 to 502 and ends at 599"),
        (100, 0, "0 validations before and after; use 1 to 100"),
        (100, 101, "101 validations before and after; use 1 to 100"),
    ],
)
def test_confusion_where_there_is_none_is_refused(query, iteration, window, says):
    with pytest.raises(UsageError, match=says):
        query.confusion(iteration, window)


def test_confusion_without_validations_is_refused():
    with pytest.raises(UsageError, match="iteration 100: no validations were recorded"):
        query_of(FakeReader(validations=0)).confusion(100)


# --- stages
def test_density_counts_each_class_and_iteration_once(reader):
    reader.triggers = (Trigger(219, "loss", "", (), 6.0, 8.5),)
    settings = AnomalySettings(window=1, threshold=0.1)
    query = query_of(reader)
    marks = {(one.class_index, one.iteration) for one in query.anomalies(settings) if one.class_index is not None}
    first, second = query.anomaly_density(settings)
    assert (first.stage.iteration, second.stage.iteration) == (9, 309)
    for density, (low, high) in ((first, (9, 309)), (second, (309, 999))):
        count = sum(low <= iteration < high for _, iteration in marks)
        validations = sum(low <= at < high for at in reader.validation_iterations)
        assert (density.anomalies, density.validations) == (count, validations)
        assert density.per_hundred == pytest.approx(100 * count / validations)
        assert count > 5
    some = next(one for one in query.anomalies(settings) if one.class_index is not None)
    both = [
        one
        for one in query.anomalies(settings)
        if (one.class_index, one.iteration) == (some.class_index, some.iteration)
    ]
    for one in both:
        query.decide(one.id, "dismissed")
    assert query.anomaly_density(settings)[0].anomalies == first.anomalies - 1


def test_density_of_a_stage_without_validations_is_no_number(reader):
    first, second = query_of(replace(reader, validations=20)).anomaly_density()
    assert first.validations == 20
    assert (second.validations, second.anomalies) == (0, 0)
    assert math.isnan(second.per_hundred)
    del reader.scalars["learning_rate"]
    assert query_of(reader).anomaly_density() == ()
