"""Which layers did not train, and why: by their gradients and updates, and by what was frozen at the beginning."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations

from dtui.cli import main
from dtui.model import LayerStates, Trained
from dtui.query import RunQuery
from dtui.record import Recorder
from dtui.record.network.coverage import measure_trained
from dtui.record.network.layers import find_layers
from dtui.store import RunWriter, pack_run
from tests.store.builders import METADATA, STRUCTURE, make_record


class Mixed(nn.Module):
    """Layers that train, and one of each kind that does not."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.frozen = nn.Linear(4, 4, bias=False).requires_grad_(False)
        self.thawed = nn.Linear(4, 4).requires_grad_(False)
        self.normed = parametrizations.weight_norm(nn.Linear(4, 4))
        self.forgotten = nn.Linear(4, 4)
        self.unused = nn.Linear(4, 4)
        self.head = nn.Linear(4, 4)
        self.back = nn.Linear(4, 4, bias=False)
        self.back.weight = self.head.weight

    def forward(self, values: Tensor) -> Tensor:
        for layer in (self.frozen, self.thawed, self.normed, self.forgotten, self.head):
            values = layer(values).tanh()
        return self.back(values)


WANTED = LayerStates(("frozen",), ("unused",), ("forgotten",), (("head", "back"),))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    model = Mixed()
    model.frozen.weight.grad = torch.ones(4, 4)  # of a training before, which nobody cleared
    mine = [own for name, own in model.named_parameters() if not name.startswith(("forgotten", "frozen"))]
    optimizer = torch.optim.SGD(mine, lr=0.1)
    path = tmp_path_factory.mktemp("trained") / "run"
    with Recorder(path, model, optimizer, every=1) as recorder:
        for step in range(5):
            if step == 2:
                model.thawed.requires_grad_(True)
            optimizer.zero_grad()
            model.forgotten.zero_grad()
            model(torch.ones(3, 4)).square().mean().backward()
            optimizer.step()
        recorder.log(loss=1.0)
    return path.with_suffix(".dtui")


def test_layers_that_did_not_train_are_named(run: Path, tmp_path: Path) -> None:
    pack_run(run, tmp_path / "run.h5")
    for path in (run, tmp_path / "run.h5"):
        with RunQuery(path) as query:
            info = query.info()
        assert info.states == WANTED
        assert info.coverage is not None
        assert (info.trainable, info.coverage.parameters) == (16 + 4 + 4 + 20 + 20 + 20, 16 + 20 + 24 + 20 + 20 + 20)


def test_info_says_so(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info", str(run)]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    for text in (
        "to be trained 84 of 120 parameters",
        "frozen 1 of 6 layers: frozen",
        "no gradient 1 of 6 layers: unused; to be trained, but never given one",
        "unchanged 1 of 6 layers: forgotten; given gradients, but never changed",
        "tied head = back",
    ):
        assert text in shown
    assert main(["info", str(run), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["states"] == {
        "frozen": ["frozen"],
        "no_gradient": ["unused"],
        "unchanged": ["forgotten"],
        "tied": [["head", "back"]],
    }
    assert (found["trainable"], found["norms"]) == (84, 0)


def test_one_record_tells_nothing_and_a_run_of_before_not_who_is_frozen(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for trained in (Trained(5, (0,)), None):
        structure = replace(STRUCTURE, trained=trained)
        writer = RunWriter(tmp_path / f"{trained is None}", structure, METADATA, compact=False)
        record = make_record(0)
        record.layers[1:, :, 0], record.layers[1:, :, 1], record.layers[2, :, 2] = float("nan"), float("nan"), 0
        writer.append_record(record)
        query = RunQuery(writer.path)
        assert query.info().states == LayerStates((), (), ("fc",), (("stage.\x1b[31mconv", "tied"),))
        record.layers[2] = 0
        writer.append_record(replace(record, iteration=10))
        query.refresh()
        states = query.info().states
        query.close()
        writer.close()
        assert states.unchanged == ("fc",)
        of_none = (states.frozen, states.no_gradient)
        stem, conv = "stem", "stage.\x1b[31mconv"
        assert of_none == (((), (stem, conv)) if trained is None else ((stem,), (conv,)))
    assert main(["info", str(writer.path)]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "no gradient 2 of 3 layers: stem, stage.�[31mconv; frozen, or never given one" in shown
    assert "to be trained" not in shown


def test_what_is_to_be_trained_counts_each_parameter_once() -> None:
    model = Mixed()
    found = measure_trained(model, find_layers(model))
    slow = {id(own): own.numel() for own in model.parameters() if own.requires_grad}
    assert found == Trained(sum(slow.values()), (0, 1))
