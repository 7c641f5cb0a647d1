"""The same run through the real store: written by one side while the query follows it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dtui.errors import RunNotFoundError
from dtui.model import HeatmapRequest, ImagesRequest, Record, RunStatus, TimeAxis, Validation
from dtui.query import RunQuery, open_run
from dtui.store import RunWriter
from tests.query.fake_reader import FakeReader
from tests.store.resuming import die, resume


def record(reader: FakeReader, at: int) -> Record:
    scalars = {name: float(values[at]) for name, values in reader.scalars.items() if not np.isnan(values[at])}
    return Record(
        iteration=at * 10 + 9,
        filters=reader.filters[..., at],
        layers=reader.layers[..., at],
        modules=reader.modules[..., at],
        histograms=np.zeros((5, 64), dtype=np.uint32),
        change_ratios=np.zeros((5, 7), dtype=np.float32),
        scalars=scalars,
    )


def write(writer: RunWriter, reader: FakeReader, first: int, stop: int) -> None:
    for at in range(first, stop):
        writer.append_record(record(reader, at))
        writer.append_validation(Validation(at * 10 + 12, reader.labels[:, at], reader.confidences[:, at]))


def answers(query: RunQuery, axis: TimeAxis) -> dict[str, np.ndarray]:
    heatmap = query.heatmap(HeatmapRequest(1, "cosine_distance", axis, 0, 17, 9, "filter", "activity"))
    rows = query.image_rows(ImagesRequest((0, 2), axis, 0, 99, 40, "error", "label"))
    curves = query.curves(axis)
    return {
        "series": query.node_series([0, 1, 7], "median", "weights", axis).values,
        "shades": heatmap.shades,
        "classes": query.class_errors([(0,), (1, 2, 3)], axis).values,
        "correct": rows.correct,
        "wrong": rows.wrong_label,
        **curves.series,
    }


def same(ours: RunQuery, theirs: RunQuery) -> None:
    axis = TimeAxis(0, 800, 40)
    expected = answers(theirs, axis)
    for name, values in answers(ours, axis).items():
        np.testing.assert_allclose(values, expected[name], rtol=1e-3, err_msg=name)
    assert ours.anomalies() == theirs.anomalies()
    assert [(c.label, c.classes) for c in ours.clusters()] == [(c.label, c.classes) for c in theirs.clusters()]
    assert ours.stages() == theirs.stages()
    assert ours.limits() == theirs.limits()
    assert ours.image_verdict(3, 300).label == theirs.image_verdict(3, 300).label


def test_a_live_run_is_followed(tmp_path: Path):
    reader = FakeReader()
    with pytest.raises(RunNotFoundError):
        open_run(tmp_path / "live")
    writer = RunWriter(tmp_path / "live", reader.structure, reader.metadata, classes=reader.classes, compact=False)
    with open_run(tmp_path / "live") as query:
        assert query.info().status is RunStatus.LIVE
        assert np.isnan(query.class_errors([(0,), (1, 2)], TimeAxis(0, 9, 3)).values).all()
        assert query.anomalies() == ()
        writer.set_images(reader.all_images)
        for first, stop in ((0, 3), (3, 40), (40, 70)):
            write(writer, reader, first, stop)
            assert query.refresh()
            same(query, RunQuery(reader.path, FakeReader(records=stop, validations=stop)))
        assert not query.refresh()
        writer.close()
        assert query.refresh()
        assert query.info().status is RunStatus.DONE
        same(query, RunQuery(reader.path, FakeReader(records=70, validations=70)))
    with open_run(tmp_path / "live.dtui") as again:
        same(again, RunQuery(reader.path, FakeReader(records=70, validations=70)))


def test_a_live_run_that_goes_on_from_a_checkpoint_is_followed(tmp_path: Path):
    """The same iterations are recorded anew, with other numbers: nothing that was kept may answer for them."""
    before, after = FakeReader(), FakeReader(seed=1)
    for name in ("filters", "layers", "modules", "labels", "confidences"):
        getattr(after, name)[..., :30] = getattr(before, name)[..., :30]
    for name, values in after.scalars.items():
        values[:30] = before.scalars[name][:30]
    writer = RunWriter(tmp_path / "run", before.structure, before.metadata, classes=before.classes, compact=False)
    writer.set_images(before.all_images)
    write(writer, before, 0, 40)
    with open_run(tmp_path / "run") as query:
        same(query, RunQuery(before.path, FakeReader(records=40, validations=40)))
        assert query.info().joins == ()
        die(writer)
        writer = resume(tmp_path / "run.dtui", 305)
        write(writer, after, 30, 40)
        assert query.refresh()
        assert query.info().joins == (305,)
        after.records = after.validations = 40
        same(query, RunQuery(after.path, after))
        writer.close()


def test_decisions_outlive_the_query(tmp_path: Path):
    reader = FakeReader()
    with RunWriter(tmp_path / "run", reader.structure, reader.metadata, compact=False) as writer:
        writer.set_images(reader.all_images)
        reader.labels[:] = reader.targets[:, None]
        reader.labels[0:30, 33:] = 2
        write(writer, reader, 0, 45)
    with open_run(tmp_path / "run") as query:
        first = query.anomalies()[0]
        query.decide(first.id, "flagged", "odd\x1b[31m")
    with open_run(tmp_path / "run") as query:
        assert (query.anomalies()[0].status, query.anomalies()[0].note) == ("flagged", "odd\x1b[31m")
