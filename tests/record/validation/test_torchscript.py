"""Evaluations by what TorchScript made of the model, which takes no hooks of its own."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.nn.modules import module as torch_module
from torch.utils.data import DataLoader, TensorDataset

from dtui.record import RecorderWarning
from tests.record.conftest import RecorderUnderTest
from tests.record.validation.pictures import check, pictures

Make = Callable[..., RecorderUnderTest]
WAYS: dict[str, Callable[[nn.Module], nn.Module]] = {
    "script": torch.jit.script,
    "frozen": lambda net: torch.jit.freeze(torch.jit.script(net)),
    "trace": lambda net: torch.jit.trace(net, torch.zeros(1, 1, 8, 8)),
}


@pytest.mark.parametrize("way", WAYS)
def test_it_is_watched_as_the_module_that_is_called(record: Make, model: nn.Module, way: str) -> None:
    images, labels = pictures()
    recorder = record(model.eval(), every=1, outputs="logits")
    scripted, loader = WAYS[way](model), DataLoader(TensorDataset(images, labels), 5)
    for _ in range(2):
        recorder.step()
        with recorder.validation(loader, model=scripted), torch.no_grad():
            for batch, _ in loader:
                model(batch[:1])  # another module, which is none of this validation
                scripted(batch)
    recorder.close()
    check(recorder.store, model, images, labels, validations=2)
    assert not recorder.store.gaps
    assert not torch_module._global_forward_hooks


def test_its_activations_are_not_seen_and_that_is_told(record: Make, model: nn.Module) -> None:
    images, labels = pictures()
    recorder = record(model.eval(), every=1, activations=True, outputs="logits")
    recorder.step()
    scripted, loader = torch.jit.script(model), DataLoader(TensorDataset(images, labels), 5)
    told = r"activations: the model is of TorchScript, whose layers take no hooks"
    with contextlib.ExitStack() as stack:
        with pytest.warns(RecorderWarning, match=told):
            stack.enter_context(recorder.validation(loader, model=scripted))
        for batch, _ in loader:
            scripted(batch)
    recorder.close()
    check(recorder.store, model, images, labels)


EXPORTS: dict[str, Callable[[nn.Module], object]] = {
    "trace": lambda net: torch.jit.trace(net, torch.zeros(1, 1, 8, 8)).code,
    "export": lambda net: torch.export.export(net, (torch.zeros(1, 1, 8, 8),), strict=False).graph,
}


@pytest.mark.parametrize("way", EXPORTS)
@pytest.mark.parametrize("is_within", [False, True], ids=["first pass", "validation"])
def test_an_export_has_nothing_of_the_recorder_in_it_and_is_no_pass(
    record: Make, model: nn.Module, way: str, is_within: bool
) -> None:
    """As TensorBoard's `add_graph` and an export to ONNX do it, also before the training begins."""
    images, labels = pictures()
    wanted = str(EXPORTS[way](model.eval()))
    recorder, batches = record(model, every=1), [(images, labels)]
    if is_within:
        recorder.step()
        with recorder.validation(batches):
            assert str(EXPORTS[way](model)) == wanted
            with torch.no_grad():
                model(images)
    else:
        assert str(EXPORTS[way](model)) == wanted
        model(images)
        recorder.step()
    recorder.close()
    assert not recorder.store.gaps
    if is_within:
        check(recorder.store, model, images, labels)
    else:
        assert ("0", "1") in {(edge.source, edge.target) for edge in recorder.store.structure.edges}
