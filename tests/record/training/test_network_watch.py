"""A network that was changed is noticed, whatever was replaced, and also where Python gives an identity out again."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from torch import nn

from dtui.record.network import network_changes
from dtui.record.network.network_changes import NetworkWatch

Change = Callable[[nn.Sequential], object]


def net() -> nn.Sequential:
    return nn.Sequential(nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4)), nn.ReLU(), nn.Linear(4, 2))


CHANGES: dict[str, Change] = {
    "a module": lambda root: root.__setitem__(1, nn.GELU()),
    "a container": lambda root: root.__setitem__(0, nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))),
    "a weight": lambda root: setattr(root[2], "weight", nn.Parameter(root[2].weight.detach().clone())),
    "a weight that is gone": lambda root: root[2].register_parameter("weight", None),
    "one more": lambda root: root.append(nn.ReLU()),
    "one less": lambda root: root.__delitem__(2),
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_change_is_noticed_once(what: str) -> None:
    root = net()
    watch = NetworkWatch(root)
    assert not watch.has_changed()
    CHANGES[what](root)
    assert watch.has_changed()
    assert not watch.has_changed()


def test_a_module_with_the_identity_of_the_one_before_is_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python may give out the identity of what is gone; here all modules have the same one."""
    monkeypatch.setattr(network_changes, "id", lambda module: 1, raising=False)
    root = net()
    watch = NetworkWatch(root)
    root[1] = nn.GELU()
    assert watch.has_changed()
    assert not watch.has_changed()
    root[0] = nn.Sequential(*root[0])
    assert watch.has_changed()


def test_a_network_that_is_gone_has_not_changed() -> None:
    root = net()
    watch = NetworkWatch(root)
    del root
    assert not watch.has_changed()
