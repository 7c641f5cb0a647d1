"""What a recorder takes for an optimizer and a model, what it refuses, and what it keeps of several optimizers."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from types import new_class

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from dtui.errors import RecorderError
from dtui.model.scalars import rate_of
from dtui.record import Recorder
from dtui.store import RunReader
from tests.record.conftest import small_net


def body_and_head(net: nn.Sequential) -> list[torch.optim.Optimizer]:
    """An optimizer for the convolutions, which counts, and one of Adam's kind for the last layer."""
    last = list(net[-1].parameters())
    body = [own for own in net.parameters() if not any(own is other for other in last)]
    return [torch.optim.SGD(body, lr=0.1, momentum=0.9), torch.optim.AdamW(last, lr=0.01)]


def step(net: nn.Module, optimizers: list[torch.optim.Optimizer]) -> None:
    functional.cross_entropy(net(torch.randn(4, 1, 8, 8)), torch.arange(4) % 3).backward()
    for optimizer in optimizers:
        optimizer.step()


def test_rates_and_settings_of_each_optimizer_have_names_of_their_own(tmp_path: Path) -> None:
    net = small_net()
    optimizers = body_and_head(net)
    with Recorder(tmp_path / "run", net, optimizers, every=1, hyperparameters={"lr_2": "mine"}) as recorder:
        for rate in (0.01, 0.02, 0.04):
            optimizers[1].param_groups[0]["lr"] = rate
            step(net, optimizers)
    assert recorder.iteration == 2
    with closing(RunReader(tmp_path / "run.dtui")) as reader:
        assert reader.read_scalar("learning_rate", slice(3)).tolist() == [0.1, 0.1, 0.1]
        assert reader.read_scalar("learning_rate_2", slice(3)).tolist() == [0.01, 0.02, 0.04]
        settings = reader.metadata.hyperparameters
    named = ("optimizer", "lr", "momentum", "optimizer_2", "lr_2", "betas_2", "momentum_2")
    assert [settings.get(name) for name in named] == ["SGD", "0.1", "0.9", "AdamW", "mine", "(0.9, 0.999)", None]


def test_a_group_has_a_rate_of_its_own_as_soon_as_it_is_not_that_of_the_first(tmp_path: Path) -> None:
    net = small_net()
    body, head = ([*group.param_groups[0]["params"]] for group in body_and_head(net))
    first = torch.optim.SGD([{"params": body[:1]}, {"params": body[1:]}, {"params": head, "lr": 0.3}], lr=0.1)
    second = torch.optim.SGD([{"params": [torch.zeros(1, requires_grad=True)]} for _ in range(2)], lr=0.2)
    with Recorder(tmp_path / "run", net, [first, second], every=1):
        for rate in (0.1, 0.5, 0.1):
            first.param_groups[1]["lr"] = rate
            second.param_groups[1]["lr"] = 2 * rate
            step(net, [first, second])
    with closing(RunReader(tmp_path / "run.dtui")) as reader:
        names = {name for name in reader.scalar_names() if rate_of(name)}
        of_first, of_second = "learning_rate_group_2", "learning_rate_2_group_2"
        assert names == {"learning_rate", "learning_rate_2", of_first, of_second, "learning_rate_group_3"}
        assert reader.read_scalar("learning_rate_group_3", slice(3)).tolist() == [0.3, 0.3, 0.3]
        for name, rates in {of_first: [0.5, 0.1], of_second: [1.0, 0.2]}.items():
            read = reader.read_scalar(name, slice(3))
            assert np.isnan(read[0])
            assert read[1:].tolist() == rates


def test_the_first_of_several_optimizers_tells_the_updates_when_a_run_goes_on(tmp_path: Path) -> None:
    net = small_net()
    first, second = reversed(body_and_head(net))
    for _ in range(3):
        step(net, [first, second])
    step(net, [second])
    with Recorder(tmp_path / "run", net, [first, second], every=1, resume=True) as recorder:
        assert recorder.iteration == 2
        step(net, [first, second])
        assert recorder.iteration == 3
    other = small_net()
    with pytest.raises(RecorderError, match="the optimizer does not tell how many updates it has done"):
        Recorder(tmp_path / "run", other, body_and_head(other), resume=True)


def of_deepspeed(name: str, *bases: type) -> type:
    """Return a class that looks as if it were DeepSpeed's."""
    return new_class(name, bases, {}, lambda body: body.update(__module__="deepspeed.runtime.engine"))


@pytest.mark.parametrize(
    ("wrap", "make"),
    [
        (of_deepspeed("DeepSpeedEngine", nn.Sequential), lambda net: torch.optim.SGD(net.parameters(), lr=0.1)),
        (nn.Sequential, lambda net: of_deepspeed("DeepSpeedZeroOptimizer")()),
        (nn.Sequential, lambda net: [of_deepspeed("BF16_Optimizer", torch.optim.SGD)(net.parameters(), lr=0.1)]),
    ],
    ids=["engine", "foreign-optimizer", "optimizer"],
)
def test_deepspeed_is_refused_in_one_sentence(
    wrap: type[nn.Module], make: Callable[[nn.Module], object], tmp_path: Path
) -> None:
    model = wrap(small_net())
    with pytest.raises(RecorderError, match=r"DeepSpeed keeps weights .* use fully_shard \(FSDP2\) or Distributed"):
        Recorder(tmp_path / "run", model, make(model))  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())
