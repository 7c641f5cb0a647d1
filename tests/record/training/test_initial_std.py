"""The standard deviation with which weights start, against what `torch.nn.init` draws."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from torch import nn

from dtui.analysis.layers.initial_std import initial_std
from dtui.record.network.layers import describe, find_layers, place

LAYERS = (
    nn.Linear(300, 200),
    nn.Conv1d(40, 60, 5),
    nn.Conv2d(16, 64, 3),
    nn.Conv2d(64, 64, 5, groups=64),
    nn.Conv2d(32, 64, 3, groups=4),
    nn.Conv3d(8, 16, 3),
    nn.ConvTranspose1d(40, 20, 4),
    nn.ConvTranspose2d(16, 48, 3),
    nn.ConvTranspose2d(32, 64, 3, groups=8),
)


@pytest.mark.parametrize("layer", LAYERS, ids=str)
def test_it_is_that_of_torch(layer: nn.Module) -> None:
    probes = place(find_layers(layer))
    structure = describe(layer, probes)
    (of,) = structure.layers
    found = initial_std(of.kind, of.shape, structure.groups[0] if structure.groups else None)
    assert found is not None
    weight = layer.weight
    fan_in, fan_out = nn.init._calculate_fan_in_and_fan_out(weight)
    assert found.he == pytest.approx(nn.init.calculate_gain("relu") / math.sqrt(fan_in))
    assert found.xavier == pytest.approx(math.sqrt(2 / (fan_in + fan_out)))
    generator = torch.Generator().manual_seed(0)
    for draw, expected in (
        (lambda: nn.init.kaiming_normal_(weight, nonlinearity="relu", generator=generator), found.he),
        (lambda: nn.init.kaiming_uniform_(weight, nonlinearity="relu", generator=generator), found.he),
        (lambda: nn.init.xavier_normal_(weight, generator=generator), found.xavier),
        (lambda: nn.init.xavier_uniform_(weight, generator=generator), found.xavier),
        (layer.reset_parameters, found.default),
    ):
        torch.manual_seed(3)
        draw()
        assert float(weight.detach().std()) == pytest.approx(expected, rel=0.1)


def test_what_a_shape_does_not_tell() -> None:
    assert initial_std("ConvTranspose2d", (64, 4, 3, 3)) is None
    assert initial_std("ConvTranspose2d", (64, 4, 3, 3), 7) is None
    assert initial_std("Experts", (3, 8, 4)) is None
    assert initial_std("Linear", (5,)) is None
    attention = initial_std("MultiheadAttention", (48, 16))
    assert attention is not None
    assert attention.told() == (("He", math.sqrt(2 / 16)), ("Xavier", math.sqrt(2 / 64)))


def test_a_run_says_it_of_a_layer(tmp_path: Path) -> None:
    from dtui.errors import UsageError
    from dtui.query import RunQuery
    from dtui.store import RunWriter
    from tests.store.builders import METADATA, STRUCTURE, make_record

    with RunWriter(tmp_path / "run", STRUCTURE, METADATA, compact=False) as writer:
        writer.append_record(make_record(0))
    query = RunQuery(writer.path)
    found = query.initial_std(0)
    assert found is not None
    assert found.he == pytest.approx(math.sqrt(2 / 9))
    with pytest.raises(UsageError, match="layer 3: the run has layers 0–2"):
        query.initial_std(3)
