"""Parameters outside the layers in the store: read back, folded, packed, gone on with, and lists that cannot be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dtui.errors import NotRecordedError, UsageError
from dtui.model import PARAMETER_STATISTICS, NormLayer, OtherParameter, Record, TimeAxis
from dtui.model.layers import UPDATE_RATIO
from dtui.model.statistics import PARAMETERS, Rows
from dtui.query import RunQuery
from dtui.query.watching.nonfinite import NonfiniteSearch
from dtui.store import RunReader, RunWriter, check_run, find_past, pack_run
from tests.store.builders import METADATA, STRUCTURE, make_record
from tests.store.folding import fold
from tests.store.format.test_contents import assert_refused
from tests.store.read.test_watches import watch_at
from tests.store.twin import rounded

ROWS = (OtherParameter("words.\x1b[31mweight", "Embedding", 300), OtherParameter("stem.bias", "Conv2d", 3, "stem"))
WITH_ROWS = replace(STRUCTURE, parameters=ROWS, norms=(NormLayer("ln", "LayerNorm", 4),))
FRAMES = 70


def record_at(position: int) -> Record:
    values = np.random.default_rng(position).uniform(1, 2, (len(PARAMETER_STATISTICS), 2)).astype(np.float32)
    values[-1] = (0, position == 60)
    return replace(make_record(position), parameters=values, norms=np.full((5, 1), position, np.float32))


def assert_rows(reader: RunReader, records: list[Record]) -> None:
    assert reader.structure.parameters == ROWS
    for row, name in enumerate(PARAMETER_STATISTICS):
        found = reader.read_parameters(name, slice(None))
        expected = np.stack([record.parameters[row] for record in records], -1)
        np.testing.assert_array_equal(found[:, ~reader.is_watch], rounded(expected, PARAMETERS[name].bits))
        assert np.isnan(found[:, reader.is_watch]).all()
    assert (reader.read_norms("nonfinite", slice(1, 2)) == 1).all()


def test_they_are_read_back_from_journals_parts_and_packed_runs(tmp_path: Path) -> None:
    records = [record_at(position) for position in range(FRAMES)]
    writer = RunWriter(tmp_path / "run", WITH_ROWS, METADATA, compact=False)
    for record in records:
        writer.append_record(record)
    for iteration in range(403, 443):
        writer.append_watch(watch_at(iteration))
    writer.close()
    fold(writer.path)
    path = writer.path
    for stage in ("half", "folded", "packed"):
        if stage == "folded":
            fold(path, finish=True)
        if stage == "packed":
            pack_run(path, tmp_path / "run.h5")
            path = tmp_path / "run.h5"
        reader = RunReader(path)
        assert_rows(reader, records)
        assert reader.lost_arrays(with_data=True) == []
        found = NonfiniteSearch(reader).look()
        assert [one.sentence for one in found if one.what == "parameter"] == [
            "parameter stem.bias or its gradient is NaN or Inf"
        ]
        reader.close()
        assert check_run(path).is_fine


def test_questions_about_them(tmp_path: Path) -> None:
    with RunWriter(tmp_path / "run", WITH_ROWS, METADATA, compact=False) as writer:
        for position in range(61):
            writer.append_record(record_at(position))
    with RunQuery(writer.path) as query:
        assert query.recorded(Rows.PARAMETERS) == PARAMETER_STATISTICS
        assert query.info().other_parameters == 2
        assert any(
            line.startswith("values or gradients are NaN or Inf in 1 parameter outside the layers, first in stem.bias")
            for line in query.info().findings
        )
        iterations = query.record_iterations()
        axis = TimeAxis(0, 610, 61)
        norms, updates = query.parameters("norm"), query.parameters("update_norm")
        assert not norms.flags.writeable
        ratios = query.parameter_series((1,), UPDATE_RATIO, axis)
        np.testing.assert_allclose(ratios.values[0, 1:], updates[1, 1:] / norms[1, :-1] / np.diff(iterations), 1e-6)
        assert np.isnan(ratios.values[0, 0])
        assert query.parameter_series((1, 0), "norm", axis).values[:, 5].tolist() == norms[::-1, 5].tolist()
        with pytest.raises(UsageError, match="parameter 2: the run has 2, counted from 0"):
            query.parameter_series((2,), "norm", axis)
        with pytest.raises(UsageError, match="parameter statistic 'speed' is unknown; use one of norm, update_norm"):
            query.parameter_series((0,), "speed", axis)


def test_a_run_with_them_is_gone_on_with_and_one_without_goes_on_without(tmp_path: Path) -> None:
    for structure, name in ((WITH_ROWS, "with"), (STRUCTURE, "without")):
        with RunWriter(tmp_path / name, structure, METADATA, compact=False) as writer:
            for position in range(5):
                writer.append_record(record_at(position) if name == "with" else make_record(position))
        past = find_past(writer.path)
        assert past is not None
        assert past.structure.parameters == structure.parameters
        with RunWriter.resume(past, 5 * 10, compact=False) as writer:
            writer.append_record(record_at(5) if name == "with" else replace(record_at(5), norms=None))
        reader = RunReader(writer.path)
        assert len(reader.record_iterations) == 6
        if name == "with":
            assert_rows(reader, [record_at(position) for position in range(6)])
        else:
            with pytest.raises(NotRecordedError, match="norm was not recorded in this run; it holds nothing of that"):
                reader.read_parameters("norm", slice(None))
        reader.close()


Change = Callable[[dict], object]
BAD: dict[str, tuple[Change, str]] = {
    "no names": (lambda v: v.pop("parameters"), "0 parameters, rows of 2"),
    "one less": (lambda v: v["parameters"].pop(), "1 parameters, rows of 2"),
    "no rows": (lambda v: v["holds"]["tracks"].pop(), "2 parameters, rows of 0"),
    "more rows": (lambda v: v["holds"]["tracks"][3].update(rows=3), "2 parameters, rows of 3"),
    "text": (lambda v: v.update(parameters="bias"), "not a list of at most"),
    "too many": (lambda v: v.update(parameters=[0] * 1_025), "not a list of at most 1024"),
    "no name": (lambda v: v["parameters"][0].pop("name"), "name"),
    "elements of text": (lambda v: v["parameters"][0].update(elements="many"), "many is not a number of parameters"),
    "beyond memory": (lambda v: v["parameters"][0].update(elements=10**30), "is not a number of parameters"),
}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with RunWriter(tmp_path_factory.mktemp("rows") / "run", WITH_ROWS, METADATA, compact=False) as writer:
        writer.append_record(record_at(0))
    return writer.path


@pytest.mark.parametrize("name", BAD)
def test_lists_that_cannot_be_are_one_clear_line(run: Path, tmp_path: Path, name: str) -> None:
    assert_refused(run, tmp_path / "run.dtui", *BAD[name])
