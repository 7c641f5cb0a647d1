"""What `dtui run` logs as the loss of an update."""

from __future__ import annotations

import pytest
import torch

from dtui.record.launch.loss import Losses


@pytest.fixture
def logged() -> list[float]:
    return []


@pytest.fixture
def losses(logged: list[float]) -> Losses:
    return Losses(lambda value: logged.append(float(value)))


def test_those_of_an_update_are_summed_up(losses: Losses, logged: list[float]) -> None:
    losses.differentiated(torch.tensor(1.0))
    losses.differentiated(torch.tensor([2.0]))
    losses.forget()
    losses.differentiated(torch.tensor(4.0))
    assert logged == [1, 3, 4]


def test_of_a_scaler_what_it_is_given_counts(losses: Losses, logged: list[float]) -> None:
    for loss in (1.0, 2.0):
        losses.scaled(torch.tensor(loss))
        losses.differentiated(torch.tensor(1024 * loss))
    losses.forget()
    losses.scaled([torch.tensor(3.0), torch.tensor(1.0)])
    losses.differentiated(torch.tensor(1024.0))
    losses.forget()
    losses.scaled(iter([torch.tensor(3.0)]))  # is looked at once, by the scaler
    losses.differentiated(torch.tensor(1024.0))
    losses.forget()
    losses.differentiated(torch.tensor(5.0))
    assert logged == [1, 3, 3, 4, 5]


def test_what_is_no_real_number_is_none(losses: Losses, logged: list[float]) -> None:
    losses.differentiated(torch.ones(3))
    losses.differentiated(torch.tensor(1j))
    losses.scaled([torch.ones(3)])
    assert logged == []
