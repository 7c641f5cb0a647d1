"""Which passes over a loader `dtui run` takes for evaluations, one script of a few lines at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from copy import deepcopy
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from dtui.record.launch.evaluation import Evaluations
from dtui.record.launch.finding import parameters_of
from tests.record.conftest import RecorderUnderTest, small_net

Make = Callable[..., RecorderUnderTest]
Loader = DataLoader[Any]
TRAINED, HELD_OUT, LAST = 12, 8, 6
"""Images of the data sets: one is trained on, two are not. By their number a test tells which was judged."""


def loader_of(count: int) -> Loader:
    generator = torch.Generator().manual_seed(count)
    return DataLoader(TensorDataset(torch.randn(count, 1, 8, 8, generator=generator), torch.arange(count) % 3), 4)


class Script:
    """A training that `dtui run` watches, without the patches by which torch tells of it."""

    def __init__(self, record: Make) -> None:
        self.model = small_net()
        self.recorder = record(self.model, every=1, outputs="logits", fused=False)
        self.found = Evaluations(self.recorder, self.model, parameters_of(self.model), lambda wanted: None)
        self.trained, self.held_out, self.last = map(loader_of, (TRAINED, HELD_OUT, LAST))

    def batches(self, loader: Loader) -> Iterator[Any]:
        through, batches = self.found.iterated(loader), DataLoader.__iter__(loader)  # as the patch calls it
        return batches if through is None else through(batches)

    def judge(self, batches: Iterator[Any], *modules: nn.Module) -> None:
        for images, _ in batches:
            for module in modules or (self.model,):
                self.found.called(module)
                module(images)

    def train(self) -> None:
        """Train an epoch of one update for each batch."""
        self.model.train()
        for images, labels in self.batches(self.trained):
            self.found.called(self.model)
            nn.functional.cross_entropy(self.model(images), labels).backward()  # type: ignore[no-untyped-call]
            self.update()

    def update(self) -> None:
        self.found.updating()
        self.recorder.step()

    def evaluate(self, loader: Loader | None = None, *modules: nn.Module) -> None:
        for module in modules or (self.model,):
            module.eval()
        with torch.no_grad():
            self.judge(self.batches(loader or self.held_out), *modules)

    def judged(self) -> list[int]:
        """Return how many images each validation has."""
        self.found.close()
        self.recorder.close()
        return [int((one.labels >= 0).sum()) for one in self.recorder.store.validations]


@pytest.fixture
def script(record: Make) -> Script:
    torch.manual_seed(0)
    made = Script(record)
    made.train()
    return made


@pytest.mark.parametrize("how", [torch.no_grad, torch.inference_mode, nullcontext])
def test_evaluation_mode_is_one_with_gradients_and_without(
    script: Script, how: Callable[[], AbstractContextManager[None]]
) -> None:
    script.model.eval()
    with how():
        script.judge(script.batches(script.held_out))
    assert script.judged() == [HELD_OUT]


def test_training_mode_without_gradients_is_one(script: Script) -> None:
    """As in dropout that is left on to sample."""
    script.model.train()
    with torch.no_grad():
        script.judge(script.batches(script.held_out))
    assert script.judged() == [HELD_OUT]


def test_a_pass_that_begins_in_evaluation_mode_and_trains_is_none(script: Script) -> None:
    """`model.train()` comes after the first batch was drawn."""
    script.model.eval()
    batches = script.batches(script.held_out)
    script.model.train()
    script.judge(batches)
    assert script.judged() == []


def test_training_data_are_none(script: Script) -> None:
    script.evaluate(script.trained)
    assert script.judged() == []


def test_of_two_data_sets_the_first_is_followed(script: Script) -> None:
    for _ in range(2):
        script.evaluate(script.held_out)
        script.evaluate(script.last)
        script.train()
        script.evaluate(script.last)
        script.train()
    assert script.judged() == [HELD_OUT, HELD_OUT]


def test_of_a_model_and_its_average_the_first_is_followed(script: Script) -> None:
    average = deepcopy(script.model)
    script.evaluate(script.held_out)
    script.train()
    script.evaluate(script.held_out, average)
    script.train()
    assert script.judged() == [HELD_OUT]


def _put_in(model: nn.Module, name: str, layer: nn.Module) -> None:
    setattr(model, name, layer)


CHANGES: dict[str, Callable[[nn.Module], Any]] = {
    "another head": lambda model: _put_in(model, "4", nn.Linear(54, 3)),
    "a wider middle": lambda model: (
        _put_in(model, "0", nn.Conv2d(1, 8, 3, padding=1)),
        _put_in(model, "2", nn.Conv2d(8, 6, 3, 2)),
    ),
    "a weight that is computed": lambda model: nn.utils.parametrizations.weight_norm(model.get_submodule("4")),
    "weights that were loaded": lambda model: model.load_state_dict(deepcopy(model.state_dict()), assign=True),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
@pytest.mark.parametrize("of_average", [False, True])
def test_a_model_that_is_changed_midway_is_still_the_one(script: Script, change: Any, of_average: bool) -> None:
    script.evaluate()
    if of_average:
        script.found._is_own = None  # as if none had been judged before
    change(script.model)
    script.model.train()
    script.update()
    script.evaluate(None, deepcopy(script.model) if of_average else script.model)
    assert script.judged() == [HELD_OUT, HELD_OUT]


@pytest.mark.usefixtures("nothing_else_is_told")
def test_a_second_pass_between_two_updates_is_none(script: Script) -> None:
    """As for a second metric; a validation has one place on the time axis."""
    script.evaluate()
    script.evaluate()
    assert script.judged() == [HELD_OUT]


def test_a_loader_that_runs_ahead_ends_after_its_last_batch_is_judged(script: Script) -> None:
    """As those that bring the next batch to a GPU: they take all batches before the last one is given out."""
    script.model.eval()
    with torch.no_grad():
        batches = script.batches(script.held_out)
        script.judge(iter(list(batches)))
    script.update()
    assert script.judged() == [HELD_OUT]


def test_one_within_another_ends_the_outer_one(script: Script) -> None:
    """Nothing of the outer pass is judged as if it were of the inner one."""
    script.model.eval()
    with torch.no_grad():
        outer = script.batches(script.held_out)
        script.judge(iter([next(outer)]))
        script.judge(script.batches(script.last))
    assert script.judged() == [LAST]


def test_one_that_is_broken_off_counts_from_the_second_time_at_the_same_batch(record: Make) -> None:
    script = Script(record)
    script.held_out = loader_of(20)
    script.train()
    for stop in (3, 3, 2):
        script.model.eval()
        with torch.no_grad():
            batches = script.batches(script.held_out)
            script.judge(iter([next(batches) for _ in range(stop)]))
        del batches
        script.train()
    assert script.judged() == [12]


def test_a_pass_in_which_an_update_is_made_is_none_and_is_trained_on(script: Script) -> None:
    """Its model stays in evaluation mode while it is trained, as with frozen statistics."""
    script.model.eval()
    for images, _ in script.batches(script.held_out):
        script.found.called(script.model)
        script.model(images)
        script.update()
    script.evaluate()
    assert script.judged() == []
