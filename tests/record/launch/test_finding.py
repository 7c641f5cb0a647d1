"""What `dtui run` takes for the model of an optimizer."""

from __future__ import annotations

import torch
from torch import nn

from dtui.record.launch.finding import find_training, has_all, optimizers_around
from tests.record.conftest import small_net


def test_tensors_that_a_module_is_given_for_one_call_are_not_what_it_trains() -> None:
    """As in `torch.func.functional_call`: the module's own weights never change."""
    model = nn.Linear(3, 2)
    weights = {name: own.detach().clone().requires_grad_() for name, own in model.named_parameters()}
    given, own = torch.optim.SGD(weights.values(), 0.1), torch.optim.SGD(model.parameters(), 0.1)
    found: list[tuple[bool, bool]] = []
    model.register_forward_pre_hook(lambda module, _: found.append((has_all(module, [given]), has_all(module, [own]))))
    torch.func.functional_call(model, weights, (torch.ones(1, 3),))
    model(torch.ones(1, 3))
    assert found == [(False, False), (False, True)]


def test_of_two_modules_that_were_called_the_tighter_one_is_trained() -> None:
    """As of a model, and of a wrapper that has a teacher beside it."""
    model = small_net()
    optimizer, wide = torch.optim.SGD(model.parameters(), 0.1), nn.ModuleList([model, small_net()])
    for called in ([model, wide], [wide, model]):
        found = find_training(optimizer, [], called)
        assert (found.model, found.left_out) == (model, 0)


def test_an_optimizer_that_torch_never_saw_made_is_found_around_the_one_inside() -> None:
    class Around(torch.optim.Optimizer):
        def __init__(self, inner: torch.optim.Optimizer) -> None:
            self.inner, self.param_groups = inner, inner.param_groups

    inner, other = (torch.optim.SGD(small_net().parameters(), 0.1) for _ in range(2))
    around, unfinished = Around(inner), Around.__new__(Around)
    assert set(map(id, optimizers_around([inner]))) == {id(inner), id(around)}
    del other, unfinished
