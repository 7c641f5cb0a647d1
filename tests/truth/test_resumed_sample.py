"""What the resumed sample run holds, against the script that made it."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import tables

from dtui.model import RECORDS_A_BIN, AnomalySettings, RunStatus
from dtui.query import open_run
from dtui.store import RunReader
from dtui.store.format.contents import FORMAT_1

SAMPLES = Path(__file__).parents[2] / "sample_runs"


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("make", SAMPLES / "make.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module", params=["mnist-resumed.dtui", "mnist-resumed.h5"])
def reader(request):
    reader = RunReader(SAMPLES / request.param)
    yield reader
    reader.close()


def test_it_is_complete_and_small(reader, script):
    assert reader.status() is RunStatus.DONE
    assert reader.gaps == reader.faults == ()
    records = reader.record_iterations[~reader.is_watch]
    assert records.tolist() == list(range(0, script.RESUMED_ITERATIONS, script.RESUMED_EVERY))
    sizes = [file.stat().st_size for file in SAMPLES.glob("mnist-resumed.*/**/*") if file.is_file()]
    assert sum(sizes) + (SAMPLES / "mnist-resumed.h5").stat().st_size < 2_000_000


def test_it_goes_on_where_the_checkpoint_was(reader, script):
    assert reader.seams == (script.CHECKPOINT,)
    (join,) = reader.joins
    lost = {name: stop - first for name, (first, stop) in join.superseded.items()}
    assert lost["records"] == (script.STOPPED - script.CHECKPOINT) / script.RESUMED_EVERY
    assert lost["validations"] == 1
    assert lost["watches"] > script.KEEP_AROUND // 2
    first = int(np.searchsorted(reader.record_iterations, script.CHECKPOINT))
    ratios = reader.read_filters("update_ratio", slice(None), slice(first - 1, first + 2))
    assert np.isnan(ratios).all(axis=0).tolist() == [False, True, False]


def test_what_was_superseded_is_not_there(reader, script):
    assert (np.diff(reader.record_iterations) > 0).all()
    assert (np.diff(reader.validation_iterations) > 0).all()
    watched = reader.record_iterations[reader.is_watch]
    assert watched.min() > script.STOPPED
    assert script.LOST_FAULT.iteration not in {trigger.iteration for trigger in reader.triggers}
    norms = reader.read_filters("norm", slice(None), slice(None))
    before = reader.record_iterations < script.KEPT_FAULT.iteration
    assert norms[:, before].max() < 100  # a flipped bit makes a norm of some 10,000
    assert norms[:, ~before].max() > 1000


def test_the_flight_recorder_names_the_filter_whose_bit_was_flipped(reader, script):
    (named,) = (trigger for trigger in reader.triggers if trigger.kind == "filter")
    fault = script.KEPT_FAULT
    assert (named.iteration, named.layer, named.filters) == (fault.iteration, fault.layer, fault.filters)
    watched = set(reader.record_iterations[reader.is_watch].tolist())
    half = script.KEEP_AROUND // 2
    around = range(fault.iteration - half, fault.iteration + half + 1)
    assert watched == {iteration for iteration in around if iteration % script.RESUMED_EVERY}


@pytest.mark.parametrize(
    ("file", "node"),
    [("mnist-resumed.dtui/parts/records-0000000040-0000001065.h5", ""), ("mnist-resumed.h5", "records")],
)
def test_it_is_long_enough_for_a_coarse_level(file, node):
    with tables.open_file(str(SAMPLES / file)) as stored:
        assert stored.get_node(f"/{node}/iterations".replace("//", "/")).nrows >= 1024
        assert set(stored.get_node(f"/{node}/bins".replace("//", "/"))._v_children) == set(FORMAT_1.filters)


def test_the_coarse_level_is_that_of_the_records(reader):
    count = 12 * RECORDS_A_BIN
    for statistic in ("norm", "std"):
        values = reader.read_filters(statistic, slice(None), slice(0, count))
        bins = reader.read_filter_bins(statistic, slice(None), slice(0, count // RECORDS_A_BIN))
        assert bins.tolist() == values.reshape(len(values), -1, RECORDS_A_BIN).max(axis=2).tolist()


def test_n_leads_to_the_fault_and_its_validation():
    with open_run(SAMPLES / "mnist-resumed.dtui") as query:
        found = query.anomalies(AnomalySettings())
        hit = {
            anomaly.class_index
            for anomaly in found
            if anomaly.evidence.direction == "lost" and anomaly.iteration == 3040
        }
    assert [anomaly.iteration for anomaly in found if anomaly.kind == "watch"] == [3002, 3002]
    assert len(hit) > 5
