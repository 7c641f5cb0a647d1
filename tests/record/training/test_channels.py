"""Channels of normalisation layers: what is recorded of each against float64 copies, and when none are."""

from __future__ import annotations

import math
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn, optim

import dtui
from dtui.cli import main
from dtui.errors import NotRecordedError, RecorderError
from dtui.model.statistics import CHANNEL_STATISTICS
from dtui.query import RunQuery
from dtui.record.measure.measurer import Measurer
from dtui.record.measure.statistics import Deriver
from dtui.record.network import norm_layers
from dtui.record.network.layers import describe, find_layers, place
from dtui.record.network.norm_layers import SHIFT, find_norms, try_norms
from dtui.record.writing.warn import RecorderWarning, forget_told
from dtui.reports import write_report

HELD = {"scale": "weight", "shift": "bias", "running_mean": "running_mean", "running_variance": "running_var"}
Twin = list[dict[str, dict[str, np.ndarray]]]


class Net(nn.Module):
    """A layer of each kind that differs in what it has."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(2, 6, 3)
        self.batch = nn.BatchNorm2d(6)
        self.group = nn.GroupNorm(2, 6)
        self.last = nn.Linear(6, 4)
        self.layer = nn.LayerNorm(4)
        self.rms = nn.RMSNorm(4)

    def forward(self, x: Tensor) -> Tensor:
        return self.rms(self.layer(self.last(self.group(self.batch(self.conv(x))).mean((2, 3)))))


def whole(model: nn.Module) -> dict[str, dict[str, np.ndarray]]:
    """Return what each normalisation layer holds now, in double precision."""
    return {
        probe.name: {
            name: getattr(probe.module, held).detach().double().numpy().copy()
            for name, held in HELD.items()
            if getattr(probe.module, held, None) is not None
        }
        for probe in find_norms(model)
    }


def train(model: nn.Module, path: Path, updates: int, **options: Any) -> tuple[Path, Twin]:
    optimizer, twin = optim.SGD(model.parameters(), 0.01), []
    with dtui.Recorder(path, model, optimizer, every=2, thumbnails=None, **options) as recorder:
        for update in range(updates):
            optimizer.zero_grad()
            (model(torch.randn(8, 2, 6, 6)) - 1).square().sum().backward()
            optimizer.step()
            if recorder.iteration % 2 == 0 or update == updates - 1:
                twin.append(whole(model))
    return recorder.path, twin


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Twin]:
    torch.manual_seed(3)
    return train(Net(), tmp_path_factory.mktemp("channels") / "run", 12, norms="channels")


def assert_twin(query: RunQuery, twin: Twin) -> None:
    names = [norm.name for norm in query.structure().norms]
    assert names == ["batch", "group", "layer", "rms"]
    for at, name in enumerate(names):
        for statistic in CHANNEL_STATISTICS:
            found = query.channels(at, statistic)
            assert found.shape == (query.structure().norms[at].channels, len(twin))
            for position, held in enumerate(twin):
                expected = held[name].get(statistic)
                if expected is None:
                    assert np.isnan(found[:, position]).all(), (name, statistic)
                else:
                    np.testing.assert_allclose(found[:, position], expected, rtol=2**-15, atol=0)


def test_each_channel_is_as_the_layer_holds_it(trained: tuple[Path, Twin]) -> None:
    path, twin = trained
    query = RunQuery(path)
    assert query.info().channels == 20
    assert_twin(query, twin)
    assert np.ptp(query.channels(0, "scale"), axis=1).min() > 0  # it is a training that moves


def test_the_default_records_none_and_says_so(tmp_path: Path) -> None:
    torch.manual_seed(3)
    path, _ = train(Net(), tmp_path / "run", 3)
    query = RunQuery(path)
    assert (query.info().channels, query.structure().channel_norms, query.moved_channels(3)) == (0, (), ())
    assert np.isfinite(query.norms("scale_shift")[:, 1]).all()
    with pytest.raises(NotRecordedError, match="channel statistic scale was not recorded in this run"):
        query.channels(0, "scale")


def test_another_word_is_refused(tmp_path: Path) -> None:
    model = Net()
    with pytest.raises(RecorderError, match="norms='filters': not known; give one of 'layers', 'channels'"):
        dtui.Recorder(tmp_path / "run", model, optim.SGD(model.parameters(), 0.1), norms="filters")
    assert not list(tmp_path.iterdir())


def test_a_run_goes_on_as_it_began(trained: tuple[Path, Twin], tmp_path: Path) -> None:
    torch.manual_seed(3)
    model = Net()
    path, twin = train(model, tmp_path / "run", 4, norms="channels")
    _, more = train(model, path, 4, resume=True, iteration=4)
    assert_twin(RunQuery(path), [*twin, *more])
    path, _ = train(model, tmp_path / "without", 4)
    forget_told()
    with pytest.warns(RecorderWarning, match="this run began without channels, so none are recorded"):
        train(model, path, 2, resume=True, iteration=4, norms="channels")
    assert RunQuery(path).info().channels == 0


def test_layers_past_the_bound_are_told_and_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(norm_layers, "MOST_CHANNELS", 11)
    torch.manual_seed(3)
    forget_told()
    with pytest.warns(RecorderWarning, match=r"the channels of 2 normalisation layers \(group, rms\) are not recorded"):
        path, twin = train(Net(), tmp_path / "run", 2, norms="channels")
    query = RunQuery(path)
    assert (query.structure().channel_norms, query.info().channels) == ((0, 2), 10)
    for at, name in ((0, "batch"), (2, "layer")):
        np.testing.assert_allclose(query.channels(at, "shift")[:, 0], twin[0][name]["shift"], rtol=2**-15)
    with pytest.raises(NotRecordedError, match="channels of group were not recorded"):
        query.channels(1, "scale")


def test_shifts_of_another_process_are_put_in_and_what_is_broken_is_nan() -> None:
    model = nn.Sequential(nn.Conv2d(1, 3, 1), nn.BatchNorm2d(3))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        probes = place(find_layers(model))
    measurer = Measurer(model, probes, norms=find_norms(model), has_channels=True)
    raw, other = measurer.measure()(0, {}), measurer.measure()(0, {})
    assert raw.norms is not None
    assert other.norms is not None
    raw.norms[SHIFT, 1:] = math.nan
    other.norms[:] = 7.0
    assert raw.with_part(**other.parts()).norms[SHIFT].tolist() == [0, 7, 7]
    with torch.no_grad():
        model[1].weight[1] = math.nan
        model[1].bias[2] = math.inf
    structure = describe(model, probes)
    structure = replace(structure, norms=try_norms(model, structure.layers)[1], channel_norms=(0,))
    values = Deriver(structure).derive(measurer.measure()(1, {})).channels
    assert values is not None
    np.testing.assert_array_equal(values, [[1, math.nan, 1], [0, 0, math.nan], [0, 0, 0], [1, 1, 1]])


def test_the_channels_that_moved_most_stand_in_info_and_report(
    trained: tuple[Path, Twin], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, twin = trained
    found = RunQuery(path).moved_channels(1)
    assert [one.statistic for one in found] == list(CHANNEL_STATISTICS)
    scale = found[0]
    every = {(name, at): abs(b - a) for name in twin[0] for at, (a, b) in enumerate(_ends(twin, name, "scale"))}
    assert (scale.norm, scale.channel) == max(every, key=lambda key: every[key])
    assert scale.moved == pytest.approx(max(every.values()), rel=1e-3)
    assert main(["info", str(path)]) == 0
    assert "4 normalisation layers with values of 20 channels" in capsys.readouterr().out
    write_report([path], tmp_path / "run.txt", sections=["layers"])
    text = (tmp_path / "run.txt").read_text()
    assert "Channels of normalisation layers that moved most" in text
    assert f"{scale.last:.4g}" in text


def _ends(twin: Twin, name: str, statistic: str) -> list[tuple[float, float]]:
    return list(zip(twin[0][name][statistic], twin[-1][name][statistic], strict=True))
