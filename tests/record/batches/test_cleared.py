"""Gradients that are cleared, left out or made anew: which batches count then."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from torch import nn

from tests.record.batches.loops import Loop, plain


def test_a_skipped_update_takes_its_samples_with_it() -> None:
    loop = Loop()
    for number, (images, ids) in enumerate(plain()):
        loop.backward(images, ids)
        if number == 3:
            loop.used.drop()
            loop.now = []
            continue
        loop.step()
    loop.check(7)


def by_hand(loop: Loop, to_none: bool) -> None:
    for parameter in loop.model.parameters():
        if to_none or parameter.grad is None:
            parameter.grad = None
        else:
            parameter.grad.zero_()


CLEARINGS: dict[str, Callable[[Loop], None]] = {
    "to None": lambda loop: loop.optimizer.zero_grad(),
    "to zeros": lambda loop: loop.model.zero_grad(set_to_none=False),
    "to None by hand": lambda loop: by_hand(loop, True),
    "to zeros by hand": lambda loop: by_hand(loop, False),
}


@pytest.mark.parametrize("clear", CLEARINGS.values(), ids=CLEARINGS.keys())
@pytest.mark.parametrize("when", ["at once", "before the next", "before the next backward pass"])
def test_a_batch_whose_gradients_were_cleared_does_not_count(when: str, clear: Callable[[Loop], None]) -> None:
    """A loop of its own skips what is not finite, or goes on after a backward pass that failed."""
    loop = Loop()
    is_unclear = when == "before the next backward pass" and clear in (
        CLEARINGS["to zeros"],
        CLEARINGS["to zeros by hand"],
    )
    for number, (images, ids) in enumerate(plain()):
        if when == "before the next":
            clear(loop)
        output = loop.model(images).mean()
        if when == "before the next backward pass":
            clear(loop)
        output.backward()
        loop.now = [] if is_unclear and number % 3 == 2 else ids.tolist()  # zeros that more was added to tell nothing
        if number % 3 != 1:
            loop.step()
        elif when == "at once":
            clear(loop)
    loop.check(5)


@pytest.mark.parametrize("clear", CLEARINGS.values(), ids=CLEARINGS.keys())
def test_gradients_that_are_made_anew_from_the_same_batch_count(clear: Callable[[Loop], None]) -> None:
    """SAM, and the closures of LBFGS, also after a batch that was skipped."""
    loop = Loop()
    for number, (images, ids) in enumerate(plain()):
        for _ in range(3):
            clear(loop)
            loop.now = []
            loop.backward(images, ids)
        if number != 3:
            loop.step()
    loop.check(7)


def halve(model: nn.Module) -> None:
    for parameter in model.parameters():
        assert parameter.grad is not None
        parameter.grad = parameter.grad * 0.5


@pytest.mark.parametrize("change", [lambda model: nn.utils.clip_grad_norm_(model.parameters(), 1e-3), halve])
def test_gradients_that_are_changed_between_micro_batches_are_not_cleared(change: Callable[[nn.Module], Any]) -> None:
    loop = Loop()
    for number, (images, ids) in enumerate(plain(batch_size=2)):
        loop.model(images).mean().backward(create_graph=number < 6)
        loop.now += ids.tolist()
        change(loop.model)
        if number % 3 == 2:
            loop.step()
    loop.check(5)
