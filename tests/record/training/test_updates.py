"""Which optimizer's updates are counted: each update of the network once, whoever makes it."""

from __future__ import annotations

import gc
import warnings
import weakref
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import SGD, AdamW, Optimizer
from torch.optim.lr_scheduler import StepLR
from torch.optim.optimizer import (
    _global_optimizer_post_hooks,
    _global_optimizer_pre_hooks,
    register_optimizer_step_post_hook,
    register_optimizer_step_pre_hook,
)

from dtui.model import RunStatus
from tests.record.conftest import RecorderUnderTest, small_net
from tests.record.test_loops import data, iterations, update

Make = Callable[..., RecorderUnderTest]


def backward(model: nn.Module) -> Tensor:
    images, labels = data()
    model.zero_grad()
    loss = functional.cross_entropy(model(images), labels)
    loss.backward()
    return loss


def learning_rates(recorder: RecorderUnderTest) -> list[float]:
    recorder.close()
    return [record.scalars["learning_rate"] for record in recorder.store.records]


def assert_all_was_seen(recorder: RecorderUnderTest, count: int) -> None:
    assert iterations(recorder) == list(range(count))
    assert (recorder.store.gaps, recorder.store.reason) == ([], "")


# --- one optimizer after the other


@pytest.mark.parametrize("is_kept", [False, True])
def test_an_optimizer_made_anew_over_more_parameters_is_counted(record: Make, is_kept: bool) -> None:
    model = small_net()
    head = SGD(model[4].parameters(), 0.1)
    recorder = record(model, head, every=1)
    for _ in range(3):
        update(model, head)
    kept = head if is_kept else None
    head = SGD(model.parameters(), 0.01)
    for _ in range(3):
        update(model, head)
    del kept
    assert learning_rates(recorder) == [0.1] * 3 + [0.01] * 3
    assert_all_was_seen(recorder, 6)


def test_an_optimizer_of_other_layers_takes_over_at_once_where_the_one_before_is_gone(record: Make) -> None:
    model = small_net()
    optimizer = SGD(model[4].parameters(), 0.1)
    recorder = record(model, optimizer, every=1)
    update(model, optimizer)
    gc.collect()
    optimizer = SGD(model[0].parameters(), 0.01)
    update(model, optimizer)
    assert_all_was_seen(recorder, 2)


def test_an_optimizer_of_other_layers_takes_over_once_the_one_before_has_stopped(record: Make) -> None:
    model = small_net()
    head, body = SGD(model[4].parameters(), 0.1), SGD(model[0].parameters(), 0.01)
    recorder = record(model, head, every=1)
    for _ in range(3):
        update(model, head)
    for _ in range(4):
        update(model, body)
    assert iterations(recorder) == [0, 1, 2, 4, 5, 6]
    ((gap,),) = (recorder.store.gaps,)
    assert (gap.first, gap.last, gap.stream) == (3, 3, "records")


def test_optimizers_of_the_same_parameters_that_alternate_are_all_counted(record: Make) -> None:
    model = small_net()
    one, two = SGD(model.parameters(), 0.1), AdamW(model.parameters(), 1e-3)
    recorder = record(model, one, every=1)
    for _ in range(3):
        update(model, one)
        update(model, two)
    assert learning_rates(recorder) == [0.1, 1e-3] * 3
    assert_all_was_seen(recorder, 6)


def test_parameters_that_are_added_later_change_nothing(record: Make) -> None:
    model = small_net()
    model[:4].requires_grad_(False)
    optimizer = SGD(model[4].parameters(), 0.1)
    recorder = record(model, optimizer, every=1)
    update(model, optimizer)
    model[0].requires_grad_(True)
    optimizer.add_param_group({"params": model[0].parameters()})
    update(model, optimizer)
    assert_all_was_seen(recorder, 2)


def test_a_head_that_is_replaced_is_followed_with_its_own_optimizer(record: Make) -> None:
    model = small_net()
    optimizer = SGD(model.parameters(), 0.1)
    recorder = record(model, optimizer, every=1)
    update(model, optimizer)
    model[4] = nn.Linear(54, 3)
    optimizer = SGD(model[4].parameters(), 0.1)
    gc.collect()
    for _ in range(2):
        update(model, optimizer)
    assert_all_was_seen(recorder, 3)


def test_a_head_of_another_shape_is_told_in_the_run(record: Make) -> None:
    model = small_net()
    optimizer = SGD(model.parameters(), 0.1)
    recorder = record(model, optimizer, every=1)
    update(model, optimizer)
    model[4] = nn.Linear(54, 5)
    optimizer = SGD(model.parameters(), 0.1)
    with pytest.warns(RuntimeWarning, match=r"layer 4 \(3, 54\): now \(5, 54\); it is left out from here on"):
        update(model, optimizer)
    assert iterations(recorder) == [0, 1]
    ((gap,),) = (recorder.store.gaps,)
    assert (gap.first, gap.stream) == (1, "records")
    assert gap.reason.startswith("layer 4 (3, 54): now (5, 54)")


def test_skipped_updates_of_the_optimizer_made_anew_are_told(record: Make) -> None:
    from tests.record.test_loops import scaled_update

    model = small_net()
    optimizer = SGD(model.parameters(), 0.1)
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    recorder = record(model, optimizer, every=1)
    scaled_update(model, optimizer, scaler)
    optimizer = SGD(model.parameters(), 0.1)
    for factor in (1.0, float("inf"), 1.0):
        scaled_update(model, optimizer, scaler, factor)
    assert_all_was_seen(recorder, 3)
    assert [record.scalars.get("skipped_updates") for record in recorder.store.records] == [None, None, 1]


# --- several at a time


@pytest.mark.parametrize("is_given", [False, True])
def test_a_second_optimizer_beside_the_first_does_not_count(record: Make, is_given: bool) -> None:
    model = small_net()
    critic, judged = SGD(model[0].parameters(), 0.1), SGD(model[4].parameters(), 0.1)
    recorder = record(model, [judged, critic] if is_given else judged, every=1)
    for _ in range(4):
        for _ in range(5):
            update(model, critic)
        update(model, judged)
    assert_all_was_seen(recorder, 4)


def test_the_first_optimizer_leads_again_when_it_goes_on(record: Make) -> None:
    model = small_net()
    first, other = SGD(model[4].parameters(), 0.1), SGD(model[0].parameters(), 0.01)
    recorder = record(model, first, every=1)
    update(model, first)
    for _ in range(3):
        update(model, other)
    for _ in range(2):
        update(model, first)
        update(model, other)
    recorder.close()
    assert recorder.iteration == 5
    assert learning_rates(recorder)[-2:] == [0.1, 0.1]


def test_another_network_in_the_process_does_not_count(record: Make) -> None:
    model, other = small_net(), small_net()
    optimizer, stranger = SGD(model.parameters(), 0.1), SGD(other.parameters(), 0.1)
    first, second = record(model, optimizer, every=1), record(other, stranger, every=1)
    for _ in range(2):
        update(model, optimizer)
        for _ in range(20):
            update(other, stranger)
    assert_all_was_seen(first, 2)
    assert_all_was_seen(second, 40)


# --- one within the other


class Subclass(SGD):
    """Calls the step of its base class, which torch surrounds with hooks of its own."""

    def step(self, closure: Any = None) -> Any:
        return super().step(closure)


class Wrapper(Optimizer):
    """Is an optimizer and holds one, as ZeroRedundancyOptimizer does, and puts its mark on the weights afterwards."""

    def __init__(self, inner: Optimizer) -> None:
        super().__init__(inner.param_groups, {})
        self.inner = inner

    def step(self, closure: Any = None) -> None:
        self.inner.step()
        with torch.no_grad():
            for group in self.param_groups:
                for parameter in group["params"]:
                    parameter.fill_(7.0)


def lookahead(base: Optimizer, *, kind: type = Optimizer, inside: str = "_base", every: int = 1) -> Any:
    """As that of timm and of many repositories: by its base class only, or by no base class, an optimizer.

    Its own hooks are never called, and it rewrites the weights after the step of the one inside, `every` so many.
    """

    class Lookahead(kind):  # type: ignore[misc]
        def __init__(self) -> None:
            self._optimizer_step_pre_hooks: Any = OrderedDict()
            self._optimizer_step_post_hooks: Any = OrderedDict()
            self.defaults, self.param_groups, self.state = base.defaults, base.param_groups, base.state
            self.steps = 0
            setattr(self, inside, base)

        def zero_grad(self) -> None:
            base.zero_grad()

        def step(self, closure: Any = None) -> None:
            getattr(self, inside).step()
            self.steps += 1
            if self.steps % every == 0:
                with torch.no_grad():
                    for group in self.param_groups:
                        for parameter in group["params"]:
                            parameter.fill_(7.0 + self.steps)

    return Lookahead()


class Sam(Optimizer):
    """The usual implementation of sharpness-aware minimization, with its two ways to be called."""

    def __init__(self, parameters: Any) -> None:
        super().__init__(parameters, {"rho": 0.05, "lr": 0.1})
        self.base = SGD(self.param_groups, 0.1)

    @torch.no_grad()
    def first_step(self) -> None:
        for parameter in self.parameters():
            self.state[parameter]["old"] = parameter.data.clone()
            parameter.add_(parameter.grad, alpha=0.05)

    @torch.no_grad()
    def second_step(self) -> None:
        for parameter in self.parameters():
            parameter.data = self.state[parameter]["old"]
        self.base.step()

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:
        self.first_step()
        torch.enable_grad()(closure)()
        self.second_step()

    def parameters(self) -> list[Any]:
        return [parameter for group in self.param_groups for parameter in group["params"]]


@pytest.mark.parametrize("is_inner_given", [False, True])
def test_an_optimizer_within_another_counts_once_and_the_outer_one_is_waited_for(
    record: Make, is_inner_given: bool
) -> None:
    model = small_net()
    inner = SGD(model.parameters(), 0.1)
    outer = Wrapper(inner)
    recorder = record(model, inner if is_inner_given else outer, every=1)
    for _ in range(3):
        update(model, outer)
    assert_all_was_seen(recorder, 3)
    assert recorder.store.records[0].filters[0, 0] == 7


def test_a_step_that_calls_that_of_its_base_class_counts_once(record: Make) -> None:
    model = small_net()
    SGD(model.parameters(), 0.1)
    optimizer = Subclass(model.parameters(), 0.1)
    recorder = record(model, optimizer, every=1)
    for _ in range(3):
        update(model, optimizer)
    assert_all_was_seen(recorder, 3)


@pytest.mark.parametrize("has_scheduler", [False, True])
@pytest.mark.parametrize("inside", ["_base", "optimizer"])
@pytest.mark.parametrize("kind", [Optimizer, object])
def test_what_an_optimizer_without_hooks_rewrites_after_the_one_inside_is_of_its_update(
    record: Make, kind: type, inside: str, has_scheduler: bool
) -> None:
    if kind is object and (inside == "_base" or has_scheduler):
        pytest.skip("refused, by us or by torch")
    model = small_net()
    optimizer = lookahead(SGD(model.parameters(), 0.1), kind=kind, inside=inside)
    scheduler = StepLR(optimizer, 1) if has_scheduler else None
    recorder = record(model, optimizer, every=1)
    for _ in range(3):
        backward(model)
        optimizer.step()
        assert recorder.iteration == optimizer.steps - 1
        if scheduler is not None:
            scheduler.step()
    assert_all_was_seen(recorder, 3)
    assert [one.filters[0, 0] for one in recorder.store.records] == [8, 9, 10]


@pytest.mark.parametrize("kind", [Optimizer, object])
def test_an_outer_step_is_found_where_the_inner_optimizer_is_given(record: Make, kind: type) -> None:
    """From its second update on: until then nobody knew of it. Most rewrite every fifth or sixth."""
    model = small_net()
    inner = SGD(model.parameters(), 0.1)
    optimizer = lookahead(inner, kind=kind, every=2)
    recorder = record(model, inner, every=1)
    for _ in range(4):
        backward(model)
        optimizer.step()
    assert_all_was_seen(recorder, 4)
    assert [one.filters[0, 0] for one in recorder.store.records][1::2] == [9, 11]


def test_an_outer_step_without_an_update_inside_is_none(record: Make) -> None:
    """As that of accelerate, which is called at each micro-batch."""
    model = small_net()
    inner = SGD(model.parameters(), 0.1)
    optimizer = lookahead(inner, inside="optimizer")
    recorder = record(model, optimizer, every=1)
    for place in range(6):
        backward(model)
        optimizer.optimizer = inner if place % 2 else Idle()
        optimizer.step()
    assert_all_was_seen(recorder, 3)


class Idle:
    def step(self) -> None:
        pass


def test_an_outer_step_that_raises_counts_nothing_and_the_next_one_counts(record: Make) -> None:
    model = small_net()
    optimizer = lookahead(SGD(model.parameters(), 0.1))
    recorder = record(model, optimizer, every=1)
    backward(model)
    optimizer.steps = None
    with pytest.raises(TypeError):
        optimizer.step()
    optimizer.steps = 0
    assert recorder.iteration == -1
    backward(model)
    optimizer.step()
    assert_all_was_seen(recorder, 1)


def test_an_outer_step_that_cannot_be_watched_is_told_once(record: Make) -> None:
    class Fixed(type):
        def __setattr__(cls, name: str, value: object) -> None:
            if name == "step":
                raise TypeError

    model = small_net()
    inner = SGD(model.parameters(), 0.1)
    optimizer = lookahead(inner, kind=Fixed("Base", (), {}))
    object.__setattr__(optimizer, "steps", 0)
    recorder = record(model, inner, every=1)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        for _ in range(3):
            backward(model)
            optimizer.step()
    (line,) = [str(one.message) for one in told]
    assert "a Lookahead is around the SGD, and the end of its step cannot be seen" in line
    assert "make the recorder without optimizer= and call recorder.step()" in line
    assert_all_was_seen(recorder, 3)


def test_a_watched_optimizer_is_pickled_and_scheduled_as_before(record: Make) -> None:
    model = small_net()
    optimizer = lookahead(SGD(model.parameters(), 0.1))
    record(model, optimizer, every=1)
    assert "step" not in vars(optimizer)
    scheduler = StepLR(optimizer, 1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        backward(model)
        optimizer.step()
        scheduler.step()


@pytest.mark.parametrize("has_closure", [False, True])
def test_two_steps_of_sam_are_one_update(record: Make, has_closure: bool) -> None:
    model = small_net()
    optimizer = Sam(model.parameters())
    recorder = record(model, optimizer, every=1)
    for _ in range(3):
        backward(model)
        if has_closure:
            optimizer.step(lambda: backward(model))
        else:
            optimizer.first_step()
            backward(model)
            optimizer.second_step()
    assert_all_was_seen(recorder, 3)


def test_a_step_that_raises_leaves_the_count_as_it_is(record: Make) -> None:
    model = small_net()
    optimizer = Sam(model.parameters())
    recorder = record(model, optimizer, every=1)
    backward(model)
    with pytest.raises(ZeroDivisionError):
        optimizer.step(lambda: 1 / 0)
    optimizer.base.step()
    update(model, optimizer.base)
    assert_all_was_seen(recorder, 2)


# --- no optimizer given


@pytest.mark.parametrize("make", [lambda own: SGD(own, 0.1), lambda own: AdamW(own, 1e-3, fused=True)])
def test_an_optimizer_that_was_left_out_is_found(record: Make, make: Callable[[Any], Optimizer]) -> None:
    model = small_net()
    optimizer = make(model.parameters())
    recorder = record(model, every=1)
    for _ in range(3):
        update(model, optimizer)
    assert "learning_rate" in recorder._counting.scalars._values or learning_rates(recorder)
    assert_all_was_seen(recorder, 3)


def test_an_optimizer_of_one_part_is_found_after_some_updates(record: Make) -> None:
    model = small_net()
    optimizer = SGD(model[4].parameters(), 0.1)
    recorder = record(model, every=1)
    for _ in range(11):
        update(model, optimizer)
    assert iterations(recorder) == [8, 9, 10]
    assert [(gap.first, gap.last) for gap in recorder.store.gaps] == [(0, 7)]


def test_once_step_is_called_only_that_counts(record: Make) -> None:
    model = small_net()
    body, head, whole = (SGD(part.parameters(), 0.1) for part in (model[0], model[4], model))
    recorder = record(model, every=1)
    recorder.step()
    for _ in range(9):
        update(model, body)
        update(model, head)
        for _ in range(2):
            update(model, whole)
        recorder.step()
    assert_all_was_seen(recorder, 10)


def test_optimizers_that_run_in_the_backward_pass_are_left_to_step(record: Make) -> None:
    model = small_net()
    for parameter in model.parameters():
        own = SGD([parameter], 0.1)
        parameter.register_post_accumulate_grad_hook(lambda _, own=own: own.step())
    recorder = record(model, every=1)
    for _ in range(3):
        backward(model)
        recorder.step()
    assert_all_was_seen(recorder, 3)


# --- what is left alone


def test_nothing_is_hooked_any_more_once_recording_has_ended(record: Make) -> None:
    before = dict(_global_optimizer_post_hooks)
    model = small_net()
    recorder = record(model, SGD(model.parameters(), 0.1), every=1)
    assert len(_global_optimizer_post_hooks) == len(before) + 1
    recorder.close()
    assert _global_optimizer_post_hooks == before


@pytest.mark.parametrize("register", [register_optimizer_step_pre_hook, register_optimizer_step_post_hook])
def test_a_run_may_end_within_an_update(record: Make, register: Callable[..., Any]) -> None:
    """torch raises where a hook goes while it calls them; ours go with the next run that ends."""
    before = dict(_global_optimizer_pre_hooks), dict(_global_optimizer_post_hooks)
    model = small_net()
    optimizer = SGD(model.parameters(), 0.1)
    recorder = record(model, optimizer, every=1)
    handles = [register(lambda *_: recorder.close()), register(lambda *_: None)]
    for _ in range(2):
        update(model, optimizer)
    for handle in handles:
        handle.remove()
    record(model, optimizer, every=1).close()
    assert (_global_optimizer_pre_hooks, _global_optimizer_post_hooks) == before


def test_neither_network_nor_optimizer_is_kept_alive_by_the_watch() -> None:
    from dtui.record.training.updates import Updates

    before = dict(_global_optimizer_post_hooks)
    model = small_net()
    optimizer = SGD(model.parameters(), 0.1)
    counted: list[int] = []
    updates = Updates(model, [optimizer], lambda _, missed: counted.append(missed), lambda: None)
    update(model, optimizer)
    gone = [weakref.ref(model), weakref.ref(optimizer), weakref.ref(updates)]
    del model, optimizer, updates
    gc.collect()
    assert [reference() for reference in gone] == [None] * 3
    assert counted == [0]
    assert _global_optimizer_post_hooks == before


def test_a_failure_while_counting_is_told_and_the_training_goes_on(
    record: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = small_net()
    optimizer = SGD(model.parameters(), 0.1)
    recorder = record(model, optimizer, every=1)
    monkeypatch.setattr("dtui.record.training.updates._is_captured", lambda: 1 / 0)
    with pytest.warns(RuntimeWarning, match="updates: one could not be counted: ZeroDivisionError"):
        update(model, optimizer)
    monkeypatch.undo()
    update(model, optimizer)
    assert iterations(recorder) == [0]
    assert recorder.store.status is RunStatus.DONE
