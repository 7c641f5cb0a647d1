"""Named columns: written where a run lists them, read back by name, empty where nothing was given."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dtui.errors import NotRecordedError, RunDamagedError, UsageError
from dtui.model import Column
from dtui.store import RunReader, RunWriter, check_run, find_past, pack_run
from dtui.store.format.documents import parse_images_document
from tests.store.builders import IMAGES, METADATA, STRUCTURE, make_record, make_validation
from tests.store.folding import fold

SAMPLES = Column("samples", "<f8", "watches", 3)
SCORE, EXCITING = Column("score", "<f4"), Column("most_exciting", "<u4", rows=4)
JUDGED = replace(IMAGES, columns=(SCORE, EXCITING))
NONE = 2**32 - 1


def write(path: Path) -> Path:
    """Write 40 frames of each stream, those at odd places without the further columns."""
    with RunWriter(path, STRUCTURE, METADATA, compact=False, columns=[SAMPLES]) as writer:
        writer.set_images(JUDGED)
        for at in range(40):
            is_whole = at % 2 == 0
            ids = {"samples": np.array([at, 2.0**52 + at, np.nan])} if is_whole else {}
            both = {"score": np.arange(6) + at / 8, "most_exciting": np.arange(4) + at, "other": np.zeros(9)}
            writer.append_record(make_record(at))
            writer.append_watch(replace(make_record(at), columns=ids))
            writer.append_validation(replace(make_validation(at), columns=both if is_whole else {}))
    return writer.path


def test_columns_are_read_back_from_journals_parts_and_packed_runs(tmp_path: Path) -> None:
    path = write(tmp_path / "run")
    for stage in ("journals", "parts", "packed"):
        if stage == "parts":
            fold(path, finish=True)
        elif stage == "packed":
            pack_run(path, path.with_suffix(".h5"))
            path = path.with_suffix(".h5")
        reader = RunReader(path)
        assert [column.name for column in reader.columns] == [
            *("label", "confidence", "score", "most_exciting", "samples")
        ]
        assert reader.column_iterations("samples").tolist() == list(range(0, 400, 10))
        samples = reader.read_column("samples", slice(None), slice(None))
        np.testing.assert_array_equal(samples[:, 4], [4, 2**52 + 4, np.nan])
        assert np.isnan(samples[:, 5]).all()
        scores = reader.read_column("score", slice(2, 4), slice(10, 12))
        np.testing.assert_array_equal(scores, [[3.25, np.nan], [4.25, np.nan]])
        exciting = reader.read_column("most_exciting", slice(None), slice(38, 40))
        np.testing.assert_array_equal(exciting, [[38, NONE], [39, NONE], [40, NONE], [41, NONE]])
        with pytest.raises(NotRecordedError, match="rank was not recorded in this run"):
            reader.read_column("rank", slice(None), slice(None))
        reader.close()
        assert check_run(path).is_fine


def test_a_resumed_run_keeps_the_columns_that_it_began_with(tmp_path: Path) -> None:
    path = write(tmp_path / "run")
    past = find_past(path)
    assert past is not None
    assert past.columns >= {"samples", "score", "most_exciting"}
    with RunWriter.resume(past, 300, compact=False) as writer:
        writer.set_images(JUDGED)
        writer.append_validation(replace(make_validation(15), columns={"score": np.full(6, 7.0)}))
    reader = RunReader(path)
    assert reader.validation_iterations.tolist() == list(range(0, 320, 20))
    assert reader.read_column("score", slice(None), slice(-1, None)).tolist() == [[7.0]] * 6
    assert reader.read_column("most_exciting", slice(None), slice(-1, None)).tolist() == [[NONE]] * 4
    reader.close()


def test_a_run_with_a_column_of_images_that_is_not_known_is_not_gone_on_with(tmp_path: Path) -> None:
    with RunWriter(tmp_path / "run", STRUCTURE, METADATA, compact=False) as writer:
        writer.set_images(replace(IMAGES, columns=(Column("mood", "|u1"),)))
        writer.append_record(make_record(0))
        writer.append_validation(replace(make_validation(0), columns={"mood": np.arange(6)}))
    with pytest.raises(UsageError, match="holds mood, which this dtui does not record; go on with it in a newer dtui"):
        find_past(writer.path)


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({}, "its columns are no list of at most 1,024"),
        ([{"name": "score", "dtype": "<f4", "stream": "validations"}] * 2, "column 'score' is listed twice"),
        ([{"name": "label", "dtype": "<u2", "stream": "validations"}], "column 'label' is listed twice"),
        ([{"name": "score", "dtype": "<c16", "stream": "validations"}], "column score holds '<c16'"),
        ([{"name": "../score", "dtype": "<f4", "stream": "validations"}], "'../score' is no name of a column"),
        ([{"name": "kept", "dtype": "<f4", "stream": "watches", "rows": 2}], "column kept is of watches, not of"),
        ([{"name": "kept", "dtype": "<f4", "stream": "validations", "rows": 1 << 40}], "kept has 1099511627776 rows"),
    ],
)
def test_a_hostile_list_of_columns_is_refused(columns: object, said: str) -> None:
    values = {"run": "r", "classes": list(IMAGES.classes), "ids": list(IMAGES.ids), "columns": columns}
    assert json.loads(json.dumps(values)) == values
    with pytest.raises(RunDamagedError) as caught:
        parse_images_document(values, IMAGES.targets, Path("images.h5"))
    assert said in str(caught.value)
