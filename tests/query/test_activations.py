"""Activations of a run in the store: courses, silent filters, exciting images, and what is missing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dtui.errors import NotRecordedError, UsageError
from dtui.model import ActivationPlace, Column, HeatmapRequest, Standing, TimeAxis
from dtui.model.learning import GalleryRequest
from dtui.query import RunQuery, open_run
from dtui.store import RunWriter
from tests.store.builders import IMAGES, METADATA, STRUCTURE, make_record, make_validation

PLACES = (ActivationPlace("stem", "relu"), ActivationPlace("norm", "relu6"), ActivationPlace("fc", ""))
FILTERS = STRUCTURE.filters
COLUMNS = (
    Column("activation_zeros", "<f4", rows=FILTERS),
    Column("activation_mean", "<f4", rows=FILTERS),
    Column("most_exciting", "<u4", rows=9 * FILTERS),
)
NONE = 2**32 - 1
COUNT = 8


def values(at: int) -> dict[str, np.ndarray]:
    """Filter 1 is silent from the fourth validation on, filter 9 of the last layer as well; the rest never."""
    zeros = np.linspace(0.1, 0.9, FILTERS) + at / 100
    zeros[[1, 9]] = 1.0 if at >= 3 else 0.5
    nine = np.full((FILTERS, 9), NONE)
    nine[:, :3] = (np.arange(FILTERS)[:, None] + at + np.arange(3)) % len(IMAGES.ids)
    nine[0, 3] = 4_000_000  # no such image
    return {"activation_zeros": zeros, "activation_mean": 1 - zeros, "most_exciting": nine.reshape(-1)}


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    structure = replace(STRUCTURE, activations=PLACES)
    with RunWriter(tmp_path_factory.mktemp("runs") / "run", structure, METADATA, compact=False) as writer:
        writer.set_images(replace(IMAGES, columns=COLUMNS))
        for at in range(COUNT):
            writer.append_record(make_record(at))
            columns = {} if at == 5 else values(at)  # once it was not seen
            writer.append_validation(replace(make_validation(at), columns=columns))
    return writer.path


@pytest.fixture
def query(path: Path) -> Iterator[RunQuery]:
    with open_run(path) as opened:
        yield opened


def test_values_are_those_that_were_recorded(query: RunQuery) -> None:
    assert query.has_activations()
    assert query.info().activations
    assert query.structure().activations == PLACES
    for layer in STRUCTURE.layers:
        found = query.activations("activation_zeros", layer.index)
        for at in range(COUNT):
            expected = np.full(FILTERS, np.nan) if at == 5 else values(at)["activation_zeros"]
            np.testing.assert_allclose(found[:, at], expected[layer.filter_rows], rtol=1e-6)


def test_silent_filters_of_layers_that_a_relu_follows(query: RunQuery) -> None:
    assert query.silent_filters(0) == {1: 60}
    assert query.silent_filters(1) == {}
    assert query.silent_filters(2) == {}  # no ReLU follows: what is below zero goes on
    silent = [entry for entry in query.state().entries if entry.standing is Standing.SILENT]
    assert [(entry.layer, entry.filters, entry.since) for entry in silent] == [("stem", (1,), (60,))]


def test_exciting_images_at_the_validation_before(query: RunQuery) -> None:
    assert query.exciting_images(0, 0, 45).tolist() == [2, 3, 4]
    assert query.exciting_images(1, 2, 45).tolist() == [(5 + 2 + rank) % 6 for rank in range(3)]
    assert query.exciting_images(0, 0, 100).tolist() == []  # not seen there
    assert query.exciting_images(0, 0, -1).tolist() == []
    gallery = query.gallery(GalleryRequest(45, 0, 9, excites=(0, 0)))
    assert [one.image for one in gallery.shown] == [2, 3, 4]
    with pytest.raises(UsageError, match="layer stem filter 3: the layer has filters 0–2"):
        query.exciting_images(0, 3, 45)


def test_the_history_of_a_filter_has_its_activations_behind_its_statistics(query: RunQuery) -> None:
    history = query.filter_history(0, 1, TimeAxis(0, 160, 8))
    assert [course.statistic for course in history.courses][-2:] == ["activation_zeros", "activation_mean"]
    zeros = history.courses[-2]
    expected = [0.5] * 3 + [1.0] * 2 + [np.nan] + [1.0] * 2
    np.testing.assert_allclose(zeros.values, expected)
    np.testing.assert_allclose(zeros.median[0], np.median([0.1, 0.5, values(0)["activation_zeros"][2]]), rtol=1e-6)
    assert history.read == PLACES[0]


def test_where_no_validation_holds_them_nothing_says_where_they_are_read(tmp_path: Path) -> None:
    """A run that was asked for activations, and whose evaluations nobody could see."""
    with RunWriter(tmp_path / "run", replace(STRUCTURE, activations=PLACES), METADATA, compact=False) as writer:
        writer.set_images(IMAGES)
        writer.append_record(make_record(0))
        writer.append_validation(make_validation(0))
    with open_run(writer.path) as opened:
        assert not opened.has_activations()
        assert opened.filter_history(0, 1, TimeAxis(0, 160, 8)).read is None


@pytest.mark.parametrize("name", ["activation_zeros", "activation_mean"])
def test_a_heatmap_has_them_at_the_validations(query: RunQuery, name: str) -> None:
    """One column a validation; of two validations in a column the larger, NaN where it was not seen."""
    axis = TimeAxis(0, 160, 8)
    node = next(node for node in query.tree() if node.layer == 0)
    heatmap = query.heatmap(HeatmapRequest(node.index, name, axis, 0, 3, 3, "layer", "index"))
    known = np.array([values(at)[name][:3] if at != 5 else np.full(3, np.nan) for at in range(COUNT)]).T
    np.testing.assert_allclose(heatmap.values, known, rtol=1e-6)
    np.testing.assert_allclose(heatmap.shades, np.clip(np.abs(known) / heatmap.scale, 0, 1), rtol=1e-5)
    assert heatmap.nonfinite is None
    assert np.nanmax(np.abs(known)) >= heatmap.scale > 0
    half = query.heatmap(HeatmapRequest(node.index, name, TimeAxis(0, 160, 4), 0, 3, 3, "filter", "activity"))
    assert half.order.tolist() == np.argsort(-np.nansum(np.abs(known), axis=1), kind="stable").tolist()
    pooled = np.fmax(known[:, ::2], known[:, 1::2])
    np.testing.assert_allclose(half.values, pooled[half.order], rtol=1e-6)
    courses = query.filter_courses(0, name, axis, 3)
    np.testing.assert_allclose(courses.values, known[courses.filters], rtol=1e-6)


def test_a_run_without_activations(tmp_path: Path) -> None:
    with RunWriter(tmp_path / "run", STRUCTURE, METADATA, compact=False) as writer:
        writer.set_images(IMAGES)
        writer.append_record(make_record(0))
        writer.append_validation(make_validation(0))
    with open_run(writer.path) as query:
        assert not query.has_activations()
        assert query.silent_filters(0) == {}
        assert query.exciting_images(0, 0, 45).tolist() == []
        with pytest.raises(NotRecordedError, match=r"activations were not recorded; give Recorder\(activations=True\)"):
            query.activations("activation_zeros", 0)
        with pytest.raises(NotRecordedError, match=r"activations were not recorded; give Recorder\(activations=True\)"):
            query.heatmap(HeatmapRequest(0, "activation_zeros", TimeAxis(0, 20, 2), 0, 3, 3, "layer", "index"))


def test_places_of_another_number_of_layers_are_refused() -> None:
    from dtui.errors import RunDamagedError
    from dtui.store.format.contents import contents_of_today
    from dtui.store.format.documents import parse_run_document, run_document

    broken = replace(STRUCTURE, activations=PLACES[:2])
    document = run_document("r", broken, METADATA, (), contents_of_today())
    with pytest.raises(RunDamagedError, match="activations of 2 layers, where there are 3"):
        parse_run_document(document, Path("structure.h5"))
