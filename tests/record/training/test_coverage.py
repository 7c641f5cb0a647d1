"""What of a network is not recorded is told: at the beginning, by info, in its JSON, in a report, packed or not."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations

from dtui.cli import main
from dtui.errors import RecorderError
from dtui.model import Coverage, Unrecorded
from dtui.query import open_run
from dtui.record import Recorder, RecorderWarning
from dtui.record.network.coverage import KEPT, measure_coverage
from dtui.record.network.layers import find_layers
from dtui.store import RunReader, pack_run
from tests.record.conftest import small_net
from tests.record.telling import untold

MANY = 40


class Custom(nn.Module):
    """A tied embedding, a norm, a raw parameter, and a layer behind a parametrization."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(50, 6)
        self.same = nn.Embedding(50, 6)
        self.same.weight = self.words.weight
        self.scale = nn.Parameter(torch.ones(100))
        self.norm = nn.LayerNorm(6)
        self.first = parametrizations.weight_norm(nn.Linear(6, 8, bias=False))
        self.head = nn.Linear(8, 50)
        self.back = nn.Linear(8, 50, bias=False)
        self.back.weight = self.head.weight

    def forward(self, words: Tensor) -> Tensor:
        return self.head(self.first(self.norm(self.words(words).mean(1))))


def test_each_parameter_counts_once() -> None:
    model = Custom()
    found = measure_coverage(model, find_layers(model))
    slow = {id(parameter): parameter.numel() for parameter in model.parameters()}
    assert found.parameters == sum(slow.values())
    assert found.recorded == (8 + 48) + 400
    assert found.largest == (
        Unrecorded("words.weight", "Embedding", 300),
        Unrecorded("scale", "Custom", 100),
        Unrecorded("head.bias", "Linear", 50),
        Unrecorded("norm.weight", "LayerNorm", 6),
        Unrecorded("norm.bias", "LayerNorm", 6),
    )
    assert found.unrecorded == 5
    assert found.text(2) == (
        "50 % of the 918 parameters are weights of recorded layers; not recorded: words.weight (Embedding, 300), "
        "scale (Custom, 100) and 3 more"
    )


@pytest.mark.parametrize(
    ("recorded", "share"), [(0, "0 %"), (1, "less than 1 %"), (190, "19 %"), (999, "more than 99 %"), (1000, "100 %")]
)
def test_a_share_is_never_rounded_to_all_or_nothing(recorded: int, share: str) -> None:
    assert Coverage(1000, recorded, 0).text() == f"{share} of the 1,000 parameters are weights of recorded layers"


def test_info_json_and_report_tell_it_of_a_folder_and_of_a_packed_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.manual_seed(1)
    model = nn.Sequential(nn.Embedding(1000, 8), *(nn.LayerNorm(8) for _ in range(MANY)), nn.Linear(8, 3))
    with pytest.warns(
        RecorderWarning, match="less than 1 % of the .* recorded as one row each: 0.weight .Embedding, 8,000."
    ):
        recorder = Recorder(tmp_path / "run", model, every=1)
    with untold():
        recorder.step()
        recorder.close()
    pack_run(tmp_path / "run.dtui", tmp_path / "run.h5")
    wanted = Coverage(8000 + MANY * 16 + 27, 24, 2 * MANY + 2, ())
    for path in ("run.dtui", "run.h5"):
        reader = RunReader(tmp_path / path)
        found = reader.structure.coverage
        reader.close()
        assert found is not None
        assert (found.parameters, found.recorded, found.unrecorded) == (
            wanted.parameters,
            wanted.recorded,
            wanted.unrecorded,
        )
        assert len(found.largest) == KEPT
        assert main(["info", str(tmp_path / path)]) == 0
        told = capsys.readouterr().out
        assert "less than 1 % of the 8,667 parameters are weights of recorded layers" in " ".join(told.split())
        assert "0.weight (Embedding, 8,000)" in " ".join(told.split())
        assert main(["info", str(tmp_path / path), "--json"]) == 0
        answer = json.loads(capsys.readouterr().out)["coverage"]
        assert (answer["parameters"], answer["recorded"], answer["unrecorded"]) == (8667, 24, 82)
        assert answer["largest"][0] == {"name": "0.weight", "kind": "Embedding", "elements": 8000}
    assert main(["report", str(tmp_path / "run"), "-o", str(tmp_path / "run.txt")]) == 0
    assert "less than 1 % of the 8,667 parameters" in " ".join((tmp_path / "run.txt").read_text().split())


def test_where_most_is_recorded_nothing_is_told(tmp_path: Path) -> None:
    with untold():
        Recorder(tmp_path / "run", small_net(), every=1).close()


def test_lazy_layers_count_once_they_have_a_shape(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Flatten(), nn.LazyLinear(4), nn.LazyLinear(2))
    recorder = Recorder(tmp_path / "run", model, every=1)
    model(torch.ones(1, 1, 5, 5))
    recorder.step()
    recorder.close()
    reader = RunReader(tmp_path / "run.dtui")
    assert reader.structure.coverage is not None
    assert (reader.structure.coverage.parameters, reader.structure.coverage.recorded) == (100 + 4 + 8 + 2, 108)
    reader.close()


@pytest.mark.parametrize("kind", [torch.cfloat, torch.int8])
def test_weights_that_are_no_real_numbers_are_left_out_and_told(tmp_path: Path, kind: torch.dtype) -> None:
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Conv2d(2, 2, 3), nn.Flatten(), nn.Linear(8, 40))
    model[1].weight = nn.Parameter(torch.ones(2, 2, 3, 3).to(kind), requires_grad=False)
    name = str(kind).removeprefix("torch.")
    with pytest.warns(RecorderWarning, match=f"layer 1: its {name} weights are not recorded"):
        recorder = Recorder(tmp_path / "run", model, every=1)
    recorder.step()
    recorder.close()
    reader = RunReader(tmp_path / "run.dtui")
    assert [layer.name for layer in reader.structure.layers] == ["0", "3"]
    assert reader.structure.coverage is not None
    assert reader.structure.coverage.largest[1] == Unrecorded("1.weight", "Conv2d", 36)
    reader.close()
    with pytest.raises(RecorderError, match="no real weights to record"):
        Recorder(tmp_path / "other", model[1], every=1)


@pytest.mark.parametrize("kind", [torch.float64, torch.float16, torch.bfloat16, torch.float8_e4m3fn])
def test_weights_of_every_real_type_are_recorded(tmp_path: Path, kind: torch.dtype) -> None:
    torch.manual_seed(2)
    model = nn.Linear(8, 3)
    model.weight = nn.Parameter(model.weight.detach().to(kind), requires_grad=False)
    recorder = Recorder(tmp_path / "run", model, every=2, keep_around=2)
    recorder.step()
    recorder.step()
    recorder.close()
    reader = RunReader(tmp_path / "run.dtui")
    found = reader.read_filters("mean", slice(0, 3), slice(0, 1))[:, 0]
    reader.close()
    assert reader.gaps == (), "the flight recorder reads them, too"
    assert found == pytest.approx(model.weight.double().mean(1).numpy(), rel=1e-3)


def test_a_part_without_values_costs_only_itself(tmp_path: Path) -> None:
    """As what accelerate keeps on the disk and brings for each call: its place is on the device meta."""
    model = nn.Sequential(nn.Linear(3, 2), nn.Linear(3, 2, device="meta"))
    recorder = Recorder(tmp_path / "run", model, every=2)
    with pytest.warns(RecorderWarning, match="layer 1: its weight is on the device meta"):
        recorder.step()
    with torch.no_grad():
        model[0].weight.mul_(2)
    recorder.step()
    recorder.close()
    reader = RunReader(tmp_path / "run.dtui")
    assert reader.record_iterations.tolist() == [0, 1]
    assert np.isfinite(reader.read_filters("update_norm", slice(0, 4), slice(1, 2))[:, 0]).tolist() == [1, 1, 0, 0]
    reader.close()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_torchscript_compiles_a_recorded_model_at_any_time(tmp_path: Path) -> None:
    """It would refuse our hooks; those of the script are its own, and ours see the next pass."""
    model = nn.Sequential(nn.Linear(3, 3), nn.ReLU(), nn.Linear(3, 2))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    x, y = torch.eye(3), torch.tensor([0, 1, 1])
    with Recorder(tmp_path / "run", model, optimizer, every=1, activations=True) as recorder:
        scripts = [torch.jit.script(model)]
        model(x).sum().backward()
        optimizer.step()
        with recorder.validation([(x, y)]), torch.no_grad():
            scripts.append(torch.jit.script(model))
            assert torch.equal(scripts[0](x), model(x))
        hook = model.register_forward_hook(lambda *_: None)
        with pytest.raises((RuntimeError, OSError, TypeError)):
            torch.jit.script(model)
        hook.remove()
    assert not any(script._c._get_forward_hooks() for script in scripts)
    with open_run(recorder.path) as query:
        assert (query.info().records, query.info().validations, query.info().gaps) == (1, 1, ())


@pytest.mark.parametrize("compile_", [torch.jit.script, lambda net: torch.jit.trace(net, torch.zeros(1, 3))])
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_torchscript_is_refused_and_a_part_of_it_is_told(tmp_path: Path, compile_: Callable[..., nn.Module]) -> None:
    with pytest.raises(RecorderError, match=r"torch.jit.script and torch.jit.trace hide the layers; give the module"):
        Recorder(tmp_path / "run", compile_(nn.Linear(3, 2)))
    model = nn.Sequential(compile_(nn.Sequential(nn.Linear(3, 3), nn.LayerNorm(3))), nn.Linear(3, 2))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with pytest.warns(RecorderWarning, match=r"TorchScript hides the layers of 0, which are not recorded"):
        recorder = Recorder(tmp_path / "run", model, optimizer, every=1)
    with recorder:
        for _ in range(2):
            model(torch.ones(2, 3)).sum().backward()
            optimizer.step()
    with open_run(recorder.path) as query:
        assert [layer.name for layer in query.structure().layers] == ["1"]
        assert (query.info().records, query.info().gaps) == (2, ())
