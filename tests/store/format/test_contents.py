"""What a run holds: statistics that only some dtui know, lists that cannot be, and runs of other formats."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from dtui.errors import NotRecordedError, RunDamagedError, RunFormatError, UsageError
from dtui.model import FILTER_STATISTICS, LAYER_STATISTICS, SOURCES, Column, HeatmapRequest, Record, TimeAxis
from dtui.model import statistics as known
from dtui.model.statistics import Drawn, Rows, Statistic
from dtui.query import RunQuery
from dtui.store import RunReader, RunWriter, check_run, find_past, pack_run
from dtui.store.disk.sealed_builder import write_small_file
from dtui.store.format.contents import (
    CONFIDENCE,
    FORMAT_1,
    LABEL,
    Contents,
    Stored,
    Track,
    contents,
    contents_of_today,
)
from dtui.store.format.documents import encode_document
from dtui.store.format.frames import track_field
from dtui.store.run.opening import read_document
from tests.store.builders import IMAGES, METADATA, STRUCTURE, make_record, make_validation
from tests.store.folding import fold
from tests.store.read.test_watches import watch_at
from tests.store.twin import Twin, rounded

SAMPLE = Path(__file__).parents[3] / "sample_runs" / "mnist-resumed.dtui"
NEW = (
    Statistic("kurtosis", Rows.FILTERS, ("weights",), 9, is_watched=True, drawn=Drawn.SIGNED),
    Statistic("reach", Rows.LAYERS),
)
FRAMES = 70


@contextmanager
def newer() -> Iterator[None]:
    """Be a dtui that measures two statistics more, which stand in the middle of its lists."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(known, "STATISTICS", (*known.STATISTICS[:3], *NEW, *known.STATISTICS[3:]))
        yield


def newer_record(position: int) -> Record:
    """Return the record at a position as the newer dtui measures it: `reach` is the first statistic of layers."""
    return as_newer(make_record(position))


def as_newer(record: Record) -> Record:
    filters = np.insert(record.filters, 3, record.filters[5] / 3, axis=0)
    layers, modules = (np.insert(values, 0, 7.0, axis=1) for values in (record.layers, record.modules))
    return replace(record, filters=filters, layers=layers, modules=modules)


@pytest.fixture
def new_run(tmp_path: Path) -> tuple[Path, Twin]:
    """A run of the newer dtui, half of it folded by an older one; its twin holds what that knows."""
    with newer():
        writer = RunWriter(tmp_path / "new", STRUCTURE, METADATA, compact=False)
        writer.set_images(IMAGES)
        twin = Twin()
        for position in range(FRAMES):
            writer.append_record(newer_record(position))
            writer.append_validation(make_validation(position))
            twin.records.append(make_record(position))
            twin.validations.append(make_validation(position))
        for iteration in range(400, 440):
            writer.append_watch(as_newer(watch_at(iteration)))
            twin.watches.append(watch_at(iteration))
        writer.close()
    fold(writer.path)
    return writer.path, twin


def assert_newer(path: Path, frames: int = FRAMES) -> None:
    """See to it that the newer dtui finds all that it wrote."""
    with newer():
        reader = RunReader(path)
        is_record = ~reader.is_watch & (reader.record_iterations < 10 * frames)
        found = reader.read_filters("kurtosis", slice(None), slice(None))[:, is_record]
        expected = np.stack([newer_record(position).filters[3] for position in range(frames)], -1)
        np.testing.assert_array_equal(found, rounded(expected, 9))
        assert (reader.read_layers("updates", "reach", slice(None))[:, is_record] == 7).all()
        assert (reader.read_modules("weights", "reach", slice(None))[:, is_record] == 7).all()
        reader.close()


def test_an_older_reader_reads_what_it_knows(new_run: tuple[Path, Twin]) -> None:
    path, twin = new_run
    reader = RunReader(path)
    twin.assert_read_by(reader)
    assert reader.format_version == 2
    reader.close()
    with RunQuery(path) as query:
        assert query.recorded(Rows.FILTERS) == FILTER_STATISTICS
        assert query.recorded(Rows.LAYERS) == LAYER_STATISTICS
    assert_newer(path)


def test_an_older_dtui_folds_and_packs_what_it_does_not_know(
    new_run: tuple[Path, Twin], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, twin = new_run
    monkeypatch.setattr("dtui.store.format.part_arrays.LEAST_BINNED", 32)
    assert len(fold(path, finish=True)) == 3
    assert check_run(path).is_fine
    pack_run(path, tmp_path / "new.h5")
    assert check_run(tmp_path / "new.h5").is_fine
    for run in (path, tmp_path / "new.h5"):
        assert_newer(run)
        reader = RunReader(run)
        twin.assert_read_by(reader)
        twin.assert_bins(reader, slice(None))
        reader.close()


def test_a_run_that_an_older_dtui_goes_on_with_has_nan_in_what_that_does_not_measure(
    new_run: tuple[Path, Twin],
) -> None:
    path, twin = new_run
    past = find_past(path)
    assert past is not None
    writer = RunWriter.resume(past, 500, compact=False)
    twin.supersede(500)
    for position in range(50, 60):
        writer.append_record(make_record(position))
        twin.records.append(make_record(position))
    writer.close()
    reader = RunReader(path)
    twin.assert_records(reader, slice(None))
    reader.close()
    assert_newer(path, 50)
    with newer():
        reader = RunReader(path)
        since = slice(int(np.searchsorted(reader.record_iterations, 500)), None)
        assert np.isnan(reader.read_filters("kurtosis", slice(None), since)).all()
        assert np.isnan(reader.read_layers("gradients", "reach", since)).all()
        reader.close()


# --- what a run lacks


@pytest.mark.parametrize("name", ["mnist-resumed.dtui", "mnist-resumed.h5"])
def test_a_run_of_format_1_lacks_what_was_added_since(name: str) -> None:
    path = SAMPLE.with_name(name)
    with newer():
        reader = RunReader(path)
        assert reader.format_version == 1
        with pytest.raises(
            NotRecordedError, match=r"kurtosis was not recorded in this run; use one of mean, std"
        ) as told:
            reader.read_filters("kurtosis", slice(None), slice(None))
        assert str(told.value).startswith(f"{path}: ")
        with pytest.raises(NotRecordedError, match="kurtosis was not recorded"):
            reader.read_filter_bins("kurtosis", slice(None), slice(None))
        for read in (reader.read_layers, reader.read_modules):
            with pytest.raises(NotRecordedError, match="layer statistic reach was not recorded"):
                read("weights", "reach", slice(None))
        with pytest.raises(UsageError, match="filter statistic 'speed' is unknown"):
            reader.read_filters("speed", slice(None), slice(None))
        reader.close()
        with RunQuery(path) as query, pytest.raises(NotRecordedError, match="kurtosis was not recorded"):
            query.heatmap(HeatmapRequest(1, "kurtosis", TimeAxis(0, 10, 4), 0, 8, 8))


def test_a_run_that_lacks_what_marks_are_made_of_is_shown_without_them(tmp_path: Path) -> None:
    held = contents(2, ("weights",), (Stored("mean", ("weights",), 10),), (Stored("mean"),))
    path = written(tmp_path / "few", held)
    with RunQuery(path) as query:
        assert query.recorded(Rows.FILTERS) == query.recorded(Rows.LAYERS) == ("mean",)
        axis = TimeAxis(*query.limits(), 10)
        heatmap = query.heatmap(HeatmapRequest(0, "mean", axis, 0, 3, 3))
        assert not heatmap.dead.any()
        assert not heatmap.late.any()
        assert heatmap.nonfinite is None
        assert query.node_series([0], "mean", "weights", axis).nonfinite is None
        assert query.info().format == 2
        with pytest.raises(NotRecordedError, match="source updates was not recorded in this run; use one of weights"):
            query.node_series([0], "mean", "updates", axis)
        with pytest.raises(NotRecordedError, match="statistic norm2 was not recorded in this run; use one of mean"):
            query.node_series([0], "norm2", "weights", axis)


# --- kinds of rows and columns that are not known

OTHERS = contents(
    2,
    SOURCES,
    tuple(FORMAT_1.filters.values()),
    tuple(FORMAT_1.layers.values()),
    (Track("heads", 3, (Stored("shift", ("weights",), 7), Stored("zeros", ("weights",)))),),
    (
        LABEL,
        Column("score", "<f2"),
        CONFIDENCE,
        Column("batch", "<u4", "records", 5),
        Column("kept", "<f4", "watches", 2),
    ),
)


def written(path: Path, held: Contents) -> Path:
    """Write a run that holds something else than today's, and fold half of it."""
    writer = RunWriter(path, STRUCTURE, METADATA, compact=False, contents=held)
    writer.set_images(IMAGES)
    for position in range(40):
        writer.append_record(with_others(make_record(position), held))
        writer.append_watch(with_others(make_record(position), held))
        writer.append_validation(with_others(make_validation(position), held))
    writer.close()
    fold(writer.path)
    return writer.path


def with_others(frame: object, held: Contents) -> object:
    """Return a frame with numbers in all that a run holds."""
    names = ("iteration", "filters", "layers", "modules", "histograms", "change_ratios", "scalars")
    some = {name: getattr(frame, name) for name in (*names, "labels", "confidences") if hasattr(frame, name)}
    some["columns"] = {}
    at = some["iteration"]
    others = {
        track_field(track.kind): np.full((len(track.statistics), track.rows), at + 0.123) for track in held.tracks
    }
    for column in held.columns:
        rows = len(IMAGES.ids) if column.rows is None else column.rows
        some["columns"][column.name] = np.arange(rows) + at
    return SimpleNamespace(**{**others, **some})


def test_other_rows_and_columns_are_passed_over_and_kept(tmp_path: Path) -> None:
    path = written(tmp_path / "others", OTHERS)
    twin = Twin([make_record(p) for p in range(40)], [make_validation(p) for p in range(40)], [])
    for stage in ("half", "folded", "packed"):
        if stage == "folded":
            fold(path, finish=True)
        if stage == "packed":
            pack_run(path, tmp_path / "others.h5")
            path = tmp_path / "others.h5"
        reader = RunReader(path)
        assert reader.contents is OTHERS
        twin.assert_read_by(reader)
        assert reader.lost_arrays(with_data=True) == []
        streams = reader._streams.by_name
        for stream, node, rows, expected in (
            ("records", "/tracks/heads/zeros", 3, lambda at: np.full(3, at + 0.123, np.float32)),
            ("records", "/tracks/heads/shift", 3, lambda at: rounded(np.full(3, at + 0.123, np.float32), 7)),
            ("records", "/columns/batch", 5, lambda at: np.arange(5) + at),
            ("watches", "/columns/kept", 2, lambda at: np.arange(2) + at),
            ("validations", "/columns/score", 6, lambda at: (np.arange(6) + at).astype(np.float16)),
        ):
            one = streams[stream]
            found = one.read(node, range(rows), range(40))
            np.testing.assert_array_equal(found, np.stack([expected(at) for at in one.iterations.tolist()], -1))
        reader.close()
        assert check_run(path).is_fine


def test_validations_without_labels_are_passed_over(tmp_path: Path) -> None:
    lists = (SOURCES, tuple(FORMAT_1.filters.values()), tuple(FORMAT_1.layers.values()))
    path = written(tmp_path / "scores", contents(2, *lists, (), (Column("score", "<f2"),)))
    fold(path, finish=True)
    reader = RunReader(path)
    assert reader.validation_iterations.size == 0
    assert reader.read_labels(slice(None), slice(None)).shape == (0, 0)
    assert reader.record_iterations.size == 40
    assert reader.faults == ()
    reader.close()
    assert check_run(path).is_fine
    with RunQuery(path) as query:
        assert query.anomalies() == ()


def test_a_run_with_other_rows_is_not_gone_on_with(tmp_path: Path) -> None:
    path = written(tmp_path / "others", OTHERS)
    with pytest.raises(UsageError, match=r"holds heads, score, batch, kept, which this dtui does not record; go on"):
        find_past(path)
    bare = contents(2, SOURCES, (Stored("mean"),), (Stored("mean"),), (), ())
    with RunWriter(tmp_path / "bare", STRUCTURE, METADATA, compact=False, contents=bare) as writer:
        writer.append_record(make_record(0))
    with pytest.raises(UsageError, match=r"has no place for labels of images; go on with it in a newer dtui"):
        find_past(writer.path)


# --- runs of format 1


@pytest.mark.parametrize("is_newer", [False, True])
def test_a_run_of_format_1_goes_on_as_one(tmp_path: Path, is_newer: bool) -> None:
    writer = RunWriter(tmp_path / "old", STRUCTURE, METADATA, compact=False, contents=FORMAT_1)
    writer.set_images(IMAGES)
    twin = Twin()
    for position in range(40):
        writer.append_record(make_record(position))
        twin.records.append(make_record(position))
    writer.close()
    past = find_past(writer.path)
    assert past is not None
    with newer() if is_newer else pytest.MonkeyPatch.context():
        writer = RunWriter.resume(past, 300, compact=False)
        twin.supersede(300)
        for position in range(30, 50):
            writer.append_record(newer_record(position) if is_newer else make_record(position))
            twin.records.append(make_record(position))
        writer.append_validation(make_validation(30))
        twin.validations.append(make_validation(30))
        writer.close()
    assert json.loads((writer.path / "run.json").read_text())["format"] == 1
    assert {path.read_bytes()[4] for path in (writer.path / "journal").iterdir()} == {1}
    assert "format" not in json.loads(read_document(writer.path / "structure.h5").tobytes())
    for finish in (False, True):
        fold(writer.path, finish=finish, sweep=False)
        reader = RunReader(writer.path)
        assert reader.format_version == 1
        assert reader.contents is FORMAT_1
        twin.assert_read_by(reader)
        reader.close()
    pack_run(writer.path, tmp_path / "old.h5")
    reader = RunReader(tmp_path / "old.h5")
    assert reader.format_version == 1
    twin.assert_read_by(reader)
    reader.close()


def test_what_is_measured_today_begins_with_format_1() -> None:
    """A statistic may be added anywhere; none that was there changes its meaning or its bits."""
    today = contents_of_today()
    for name in ("filters", "layers"):
        held = getattr(today, name)
        assert {one.name: held.get(one.name) for one in getattr(FORMAT_1, name).values()} == getattr(FORMAT_1, name)
    assert today is contents_of_today()


# --- lists that cannot be

Change = Callable[[dict], object]


def filters_of(values: dict) -> list:
    return values["holds"]["tracks"][0]["statistics"]


def heads(**entry: object) -> Change:
    """Return a change that adds a kind of rows."""
    good = {"kind": "heads", "rows": 3, "statistics": [{"name": "shift", "bits": 7, "watched": False}]}
    return lambda values: values["holds"]["tracks"].append({**good, **entry})


def column(**entry: object) -> Change:
    """Return a change that adds a column."""
    good = {"name": "score", "dtype": "<f2", "stream": "validations"}
    return lambda values: values["holds"]["judgements"].append({**good, **entry})


BAD: dict[str, tuple[Change, str]] = {
    "no list": (lambda v: v.pop("holds"), "holds"),
    "text for a list": (lambda v: v.update(holds="all"), "not listed as it should be"),
    "no sources": (lambda v: v["holds"].pop("sources"), "sources"),
    "text for tracks": (lambda v: v["holds"].update(tracks="filters"), "tracks is no list"),
    "no filters": (lambda v: v["holds"]["tracks"].pop(0), "statistics of filters are not listed"),
    "no layers": (lambda v: v["holds"]["tracks"].pop(1), "statistics of layers are not listed"),
    "no judgements": (lambda v: v["holds"].pop("judgements"), "judgements"),
    "a statistic twice": (lambda v: filters_of(v).append(filters_of(v)[0]), "'mean' is listed twice"),
    "a source twice": (lambda v: v["holds"]["sources"].append("weights"), "'weights' is listed twice"),
    "a kind twice": (lambda v: v["holds"]["tracks"].append(v["holds"]["tracks"][0]), "'filters' is listed twice"),
    "a column twice": (
        lambda v: v["holds"]["judgements"].append(v["holds"]["judgements"][0]),
        "'label' is listed twice",
    ),
    "a source of another array": (lambda v: v["holds"]["sources"].append("histogram"), "cannot be a source"),
    "too many": (
        lambda v: filters_of(v).extend({"name": f"s{n}", "bits": 7, "watched": False} for n in range(2_000)),
        r"2,0\d\d things .* more than 1,024",
    ),
    "a name that is a path": (lambda v: filters_of(v)[0].update(name="../mean"), "no name of a statistic"),
    "a name with a colour": (lambda v: filters_of(v)[0].update(name="\x1b[31mred"), "no name of a statistic"),
    "a long name": (lambda v: filters_of(v)[0].update(name="m" * 65), "no name of a statistic"),
    "no name": (lambda v: filters_of(v)[0].pop("name"), "name"),
    "no bits": (lambda v: filters_of(v)[0].pop("bits"), "bits"),
    "many bits": (lambda v: filters_of(v)[0].update(bits=24), "mean keeps 24 bits"),
    "half a bit": (lambda v: filters_of(v)[0].update(bits=0.5), "mean keeps 0.5 bits"),
    "watched perhaps": (lambda v: filters_of(v)[0].update(watched="perhaps"), "neither true nor false"),
    "a norm of itself": (
        lambda v: filters_of(v)[0].update(norm_of=["mean", "std"]),
        "follows from what the run does not",
    ),
    "a norm of nothing": (lambda v: filters_of(v)[0].update(norm_of=["std", "x"]), "mean follows from what"),
    "layers with few bits": (
        lambda v: v["holds"]["tracks"][1]["statistics"][0].update(bits=7),
        "statistics of layers keep 23 bits",
    ),
    "an entry that is text": (lambda v: filters_of(v).append("mean"), "not listed as it should be"),
    "other rows: none": (heads(rows=0), "heads has 0 rows"),
    "other rows: too many": (heads(rows=10**12), "heads has 1000000000000 rows"),
    "other rows: text": (heads(rows="many"), "heads has many rows"),
    "other rows: no statistics": (heads(statistics=None), "not listed as it should be"),
    "other rows: a bad name": (heads(kind="No Rms"), "no name of a kind of rows"),
    "other rows: norms": (
        heads(statistics=[{"name": "a", "bits": 7, "watched": False, "norm_of": ["b", "c"]}]),
        "follow",
    ),
    "a column of text": (column(dtype="|S8"), "there are"),
    "a column of objects": (column(dtype=["<f4"]), "there are"),
    "a column of records without rows": (column(stream="records"), "does not say how many rows"),
    "labels of another kind": (lambda v: v["holds"]["judgements"][0].update(dtype="<u4"), "column label is not"),
    "a column with rows of text": (column(rows="six"), "score has six rows"),
    "a format that is text": (lambda v: v.update(format="two"), "is no number"),
}


def relist(path: Path, change: Change) -> None:
    """Change the document of structure.h5."""
    values = json.loads(read_document(path / "structure.h5").tobytes())
    change(values)
    (path / "structure.h5").unlink()
    write_small_file(path / "structure.h5", {"/document": encode_document(values)})


def assert_refused(run: Path, path: Path, change: Change, message: str) -> None:
    """A copy of a run whose list was changed is refused in one clear line."""
    shutil.copytree(run, path)
    relist(path, change)
    with pytest.raises(RunDamagedError, match=rf"structure\.h5: .*{message}.*restore the file") as told:
        RunReader(path)
    assert "\n" not in str(told.value)
    assert "\x1b" not in str(told.value)
    assert not check_run(path).is_fine


@pytest.fixture(scope="module")
def plain_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with RunWriter(tmp_path_factory.mktemp("plain") / "run", STRUCTURE, METADATA, compact=False) as writer:
        writer.append_record(make_record(0))
    return writer.path


@pytest.mark.parametrize("name", BAD)
def test_a_list_that_cannot_be_is_one_clear_line(plain_run: Path, tmp_path: Path, name: str) -> None:
    assert_refused(plain_run, tmp_path / "run.dtui", *BAD[name])


def test_an_unknown_key_of_the_list_is_passed_over(plain_run: Path, tmp_path: Path) -> None:
    path = tmp_path / "run.dtui"
    shutil.copytree(plain_run, path)
    relist(path, lambda values: (values["holds"].update(more=[1]), filters_of(values)[0].update(colour="red")))
    reader = RunReader(path)
    assert reader.contents is contents_of_today()
    assert len(reader.record_iterations) == 1
    reader.close()


def test_a_structure_of_format_3_is_refused_without_run_json(plain_run: Path, tmp_path: Path) -> None:
    path = tmp_path / "run.dtui"
    shutil.copytree(plain_run, path)
    relist(path, lambda values: values.update(format=3, holds={}))
    (path / "run.json").unlink()
    for ask in (RunReader, check_run, find_past):
        with pytest.raises(RunFormatError, match="format 3, this dtui reads 1–2; upgrade dtui"):
            ask(path)
