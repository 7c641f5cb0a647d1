"""Two real processes: one run, as complete as that of one process, and no hang."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from dtui.model import FILTER_STATISTICS, LAYER_STATISTICS, NORM_STATISTICS, PARAMETER_STATISTICS, SOURCES, RunStatus
from dtui.model.statistics import CHANNEL_STATISTICS, FILTERS, Rows
from dtui.store import RunReader
from tests.record.conftest import MemoryStore, RecorderUnderTest
from tests.record.distributed_worker import COUNT, STEPS, normalised, pictures, seeded, train, wide
from tests.store.builders import points_of


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the two processes recorded their runs."""
    folder = tmp_path_factory.mktemp("distributed")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3]), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-W", "ignore", "-m", "tests.record.distributed_worker"]
    ranks = [
        subprocess.Popen([*command, str(rank), port, str(folder)], env=environment, stderr=subprocess.PIPE, text=True)
        for rank in range(2)
    ]
    errors = [process.communicate(timeout=180)[1] for process in ranks]
    assert [process.returncode for process in ranks] == [0, 0], "\n".join(errors)
    return folder


@pytest.fixture
def alone(record: Callable[..., RecorderUnderTest]) -> MemoryStore:
    """The same training by one process."""
    model = seeded()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    recorder = record(model, optimizer, every=1)
    train(model, recorder, optimizer)
    recorder.close()
    return recorder.store


@pytest.mark.parametrize("name", ["ddp", "fsdp", "hsdp", "zero"])
def test_the_run_of_two_processes_is_that_of_one(folder: Path, alone: MemoryStore, name: str) -> None:
    reader = RunReader(folder / f"{name}.dtui")
    assert reader.status() is RunStatus.DONE
    assert reader.gaps == ()
    assert reader.record_iterations.tolist() == list(range(STEPS))
    assert [layer.name for layer in reader.structure.layers] == ["0", "2", "4"]
    assert [layer.shape for layer in reader.structure.layers] == [layer.shape for layer in alone.structure.layers]
    for index, statistic in enumerate(FILTER_STATISTICS):
        found = reader.read_filters(statistic, slice(0, 13), slice(0, STEPS))
        wanted = np.stack([record.filters[index] for record in alone.records], axis=1)
        np.testing.assert_allclose(found, wanted, rtol=2.0 ** -FILTERS[statistic].bits, atol=1e-6, err_msg=statistic)
    for row, source in enumerate(SOURCES):
        for index, statistic in enumerate(LAYER_STATISTICS):
            found = reader.read_layers(source, statistic, slice(0, STEPS))
            wanted = np.stack([record.layers[row, index] for record in alone.records], axis=1)
            np.testing.assert_allclose(found, wanted, rtol=5e-4, atol=1e-5, err_msg=f"{statistic} of {source}")
    for layer in range(3):
        found = reader.read_histograms(layer, slice(0, STEPS))
        assert found.sum(axis=0).tolist() == [int(record.histograms[layer].sum()) for record in alone.records]
    reader.close()


@pytest.mark.parametrize("name", ["broken-ddp", "broken-fsdp"])
def test_the_first_layer_without_a_finite_gradient_is_that_of_all_processes(folder: Path, name: str) -> None:
    reader = RunReader(folder / name)
    try:
        ((found,), _) = reader.broken_gradients()
    finally:
        reader.close()
    assert (found.iteration, found.broken, found.finite) == (2, ("0",), ("2", "4"))


@pytest.mark.parametrize("name", ["norms-ddp", "norms-fsdp", "norms-hsdp"])
def test_norms_are_those_of_one_process(folder: Path, record: Callable[..., RecorderUnderTest], name: str) -> None:
    model = normalised()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    recorder = record(model, optimizer, every=1, norms="channels")
    train(model, recorder, optimizer, is_validated=False)
    recorder.close()
    reader = RunReader(folder / f"{name}.dtui")
    assert reader.gaps == ()
    for index, statistic in enumerate(CHANNEL_STATISTICS):
        found = reader.read_rows(Rows.CHANNELS, statistic, slice(None))
        wanted = np.stack([one.channels[index] for one in recorder.store.records], axis=1)
        np.testing.assert_allclose(found, wanted, rtol=2e-3, atol=1e-5, err_msg=statistic)
    assert reader.structure.norms == recorder.store.structure.norms
    for index, statistic in enumerate(NORM_STATISTICS):
        found = reader.read_norms(statistic, slice(None))
        wanted = np.stack([one.norms[index] for one in recorder.store.records], axis=1)
        np.testing.assert_allclose(found, wanted, rtol=2e-3, atol=1e-6, err_msg=statistic)
    assert not np.isnan(found).any()
    assert reader.structure.parameters == recorder.store.structure.parameters
    for index, statistic in enumerate(PARAMETER_STATISTICS):
        found = reader.read_parameters(statistic, slice(None))
        wanted = np.stack([one.parameters[index] for one in recorder.store.records], axis=1)
        np.testing.assert_allclose(found, wanted, rtol=2e-3, atol=1e-5, err_msg=statistic)
    reader.close()


@pytest.mark.parametrize("name", ["ddp", "fsdp", "hsdp"])
def test_the_images_of_both_processes_are_judged(folder: Path, alone: MemoryStore, name: str) -> None:
    reader = RunReader(folder / f"{name}.dtui")
    assert reader.validation_iterations.tolist() == [0, 2, 4]
    assert reader.images is not None
    assert alone.images is not None
    assert sorted(int(identity) for identity in reader.images.ids) == list(range(COUNT))
    assert reader.images.targets.tolist() == sorted(pictures()[1].tolist())
    labels = reader.read_labels(slice(0, COUNT), slice(0, 3))
    for column, validation in enumerate(alone.validations):
        wanted = dict(zip(alone.images.ids, validation.labels.tolist(), strict=True))
        assert dict(zip(reader.images.ids, labels[:, column].tolist(), strict=True)) == wanted
    reader.close()


def test_only_results_are_exchanged_and_by_no_collective(folder: Path) -> None:
    weights = sum(parameter.numel() for parameter in wide().parameters()) * 4
    first, second = (json.loads((folder / f"frugal{rank}.json").read_text()) for rank in range(2))
    assert first == [0, [0, 0]]
    assert 0 < second[0] < 2 * 0.05 * weights
    assert second[1] == [0, 0]


def test_a_layer_with_fewer_filters_than_processes_is_whole(folder: Path) -> None:
    model = wide()
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-4)
    for _ in range(2):
        optimizer.zero_grad()
        model(torch.ones(3, 2048)).square().sum().backward()
        optimizer.step()
    reader = RunReader(folder / "frugal.dtui")
    assert reader.gaps == ()
    rows = slice(0, 1025)
    norms = reader.read_filters("norm", rows, slice(1, 2))[:, 0]
    gradients = reader.read_filters("gradient_norm", rows, slice(1, 2))[:, 0]
    for first, layer in ((0, model[0]), (1024, model[2])):
        part = slice(first, first + len(layer.weight))
        np.testing.assert_allclose(norms[part], layer.weight.detach().norm(dim=1), rtol=2e-3)
        np.testing.assert_allclose(gradients[part], layer.weight.grad.norm(dim=1), rtol=8e-3, atol=1e-5)
    reader.close()


def test_a_process_that_dies_costs_a_gap_and_no_hang(folder: Path) -> None:
    assert (folder / "died").exists()
    reader = RunReader(folder / "widowed.dtui")
    assert reader.status() is RunStatus.DONE
    assert reader.record_iterations.tolist() == [0, 1]
    assert reader.validation_iterations.tolist() == [0]
    assert [(gap.first, gap.stream) for gap in reader.gaps] == [(1, "validations")]
    assert "rank 1 left no part" in reader.gaps[0].reason
    reader.close()


def test_the_items_of_both_processes_make_one_validation(folder: Path) -> None:
    reader = RunReader(folder / "judged.dtui")
    assert reader.validation_iterations.tolist() == [0, 1]
    assert reader.images is not None
    assert reader.images.classes == ("rank 0", "rank 1", "not right")
    ids = np.array([int(one) for one in reader.images.ids])
    assert sorted(ids.tolist()) == list(range(COUNT))
    scores = reader.read_column("score", slice(None), slice(None))
    assert np.array_equal(scores, np.stack([ids, ids + 100.0], axis=1))
    labels = reader.read_labels(slice(None), slice(None))
    assert np.array_equal(labels[:, 0], np.where(ids >= 10, ids % 2, 2))
    assert reader.gaps == ()
    reader.close()


def test_both_processes_go_on_from_the_checkpoint_or_are_refused_together(folder: Path) -> None:
    for rank in range(2):
        first, second, refusal = (folder / f"again-{rank}.txt").read_text().split("\n")
        assert (int(first), int(second)) == (-1, STEPS - 1)
        assert "again.dtui: resume: layer 0 of 3 in the run is 0 (Conv2d" in refusal
        assert refusal.startswith("rank 0: ") == (rank == 1)
    reader = RunReader(folder / "again.dtui")
    assert reader.record_iterations.tolist() == list(range(2 * STEPS))
    assert reader.validation_iterations.tolist() == [0, 2, 4, 5, 7, 9]
    assert [join.iteration for join in reader.joins] == [STEPS]
    reader.close()


def test_all_processes_make_the_closing_record_or_none(folder: Path) -> None:
    whole = RunReader(folder / "ended.dtui")
    assert whole.record_iterations.tolist() == [0, STEPS - 1]
    norms = whole.read_filters("gradient_norm", slice(None), slice(None))
    assert np.isfinite(whole.read_filters("std", slice(None), slice(None))).all()
    assert np.isfinite(norms).all() or np.isnan(norms[:, 1]).all()
    parted = RunReader(folder / "parted.dtui")
    assert parted.record_iterations.tolist() == [0]
    for run in (whole, parted):
        assert (run.status(), run.gaps) == (RunStatus.DONE, ())
        for name, value in (("val_acc", 0.5), ("loss", 1.0)):
            iterations, values = points_of(run, name)
            assert (iterations[-1], values[-1]) == (STEPS - 1, value)
