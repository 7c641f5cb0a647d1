"""A training that the recorder does not see is told while it happens, and the run says so for ever."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim import SGD, AdamW, Optimizer

from dtui.cli import main
from dtui.model import RunStatus
from dtui.record import Recorder, RecorderWarning
from tests.record.conftest import RecorderUnderTest, small_net
from tests.record.test_loops import data, iterations, update
from tests.record.training.test_updates import backward

Make = Callable[..., RecorderUnderTest]

CHANGED = "the weights were changed, but no update of them was seen"
ANOTHER = "no update of the recorded model was seen, but of parameters that are not in it"
IDLE = "the last 16 updates changed nothing, for the network had no gradients"


def update_by_hand(model: nn.Module) -> None:
    backward(model)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.sub_(parameter.grad, alpha=0.1)


def update_data_by_hand(model: nn.Module) -> None:
    """As optimizers of old do: torch counts no change."""
    backward(model)
    for parameter in model.parameters():
        parameter.data.sub_(parameter.grad, alpha=0.1)


def validate(recorder: Recorder, model: nn.Module) -> None:
    images, labels = data()
    with recorder.validation([(images, labels)], model=model), torch.no_grad():
        model(images)


@contextmanager
def told_once(what: str) -> Iterator[None]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    told = [str(one.message) for one in caught if issubclass(one.category, RecorderWarning)]
    assert len(told) == 1, told
    assert what in told[0]
    assert "recorder" in told[0]


def assert_told(recorder: RecorderUnderTest, what: str, at: int) -> None:
    assert recorder.store.status is RunStatus.DONE, "a dtui of before knows no other word"
    assert recorder.store.reason == f"from iteration {at}: {what}"
    assert {(gap.first, gap.last, gap.reason) for gap in recorder.store.gaps} >= {(at, at, what)}


def assert_nothing_was_told(recorder: RecorderUnderTest) -> None:
    recorder.close()
    assert (recorder.store.reason, recorder.store.gaps) == ("", [])


pytestmark = pytest.mark.usefixtures("nothing_else_is_told")


# --- updates that nobody tells of


def test_updates_by_hand_are_told_where_the_loop_logs(record: Make) -> None:
    model = small_net()
    recorder = record(model, every=1)
    with told_once(f"iteration 0: {CHANGED}; call recorder.step() after each update"):
        for _ in range(100):
            update_by_hand(model)
            recorder.log(loss=1.0)
        assert recorder._counting.unseen.reason, "while it happens"
        recorder.close()
    assert_told(recorder, CHANGED, 0)


def test_updates_by_hand_after_those_of_the_optimizer_are_told(record: Make) -> None:
    model = small_net()
    optimizer = SGD(model.parameters(), 0.1)
    recorder = record(model, optimizer, every=1)
    for _ in range(5):
        update(model, optimizer)
    with told_once(f"iteration 4: {CHANGED}; make the recorder without optimizer= and call recorder.step()"):
        for _ in range(10):
            update_by_hand(model)
        recorder.close()
    assert_told(recorder, CHANGED, 4)


@pytest.mark.parametrize("is_first", [True, False])
def test_a_validation_after_updates_by_hand_tells_of_them(record: Make, is_first: bool) -> None:
    """However few there are between two validations."""
    model = small_net()
    recorder = record(model, every=1)
    epochs, count = (1, 8) if is_first else (4, 3)
    with told_once(CHANGED):
        for _ in range(epochs):
            for _ in range(count):
                update_by_hand(model)
            validate(recorder, model)
    recorder.close()
    assert_told(recorder, CHANGED, 0)


def test_changes_that_torch_does_not_count_are_told_by_the_second_validation(record: Make) -> None:
    model = small_net()
    recorder = record(model, every=1)
    with told_once(CHANGED):
        for _ in range(2):
            for _ in range(20):
                update_data_by_hand(model)
                recorder.log(loss=1.0)
            validate(recorder, model)
    recorder.close()
    assert_told(recorder, CHANGED, 0)
    assert "validations" in {gap.stream for gap in recorder.store.gaps}


def test_a_short_training_by_hand_is_told_when_it_ends(record: Make) -> None:
    model = small_net()
    recorder = record(model, every=1)
    for _ in range(5):
        update_by_hand(model)
    with told_once(CHANGED):
        recorder.close()
    assert_told(recorder, CHANGED, 0)


def test_step_that_is_called_no_longer_is_told(record: Make) -> None:
    model = small_net()
    optimizers = [SGD(model[0].parameters(), 0.1), SGD(model[4].parameters(), 0.1)]
    recorder = record(model, every=1)
    for epoch in range(2):
        for _ in range(10):
            backward(model)
            for optimizer in optimizers:
                optimizer.step()
            if not epoch:
                recorder.step()
    with told_once(f"iteration 9: {CHANGED}; call recorder.step()"):
        recorder.close()
    assert_told(recorder, CHANGED, 9)


def test_an_update_that_is_captured_into_a_graph_is_told(record: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    model = small_net()
    optimizer = SGD(model.parameters(), 0.1)
    recorder = record(model, optimizer, every=1)
    update(model, optimizer)
    with monkeypatch.context() as patch:
        patch.setattr("dtui.record.training.updates._is_captured", lambda: True)
        update(model, optimizer)
    with told_once("CUDA graph, whose replays nobody tells of; call recorder.step() after each replay"):
        validate(recorder, model)
    recorder.step()
    assert iterations(recorder) == [0, 1]


# --- another model is trained


@pytest.mark.parametrize("make", [lambda own: SGD(own, 0.1), lambda own: AdamW(own, 1e-3, fused=True)])
def test_a_model_that_was_copied_and_is_trained_instead_is_told(record: Make, make: Callable[[Any], Optimizer]) -> None:
    first = small_net()
    given = make(first.parameters())
    recorder = record(first, given, every=1)
    model = copy.deepcopy(first)
    optimizer = make(model.parameters())
    validate(recorder, model)
    for _ in range(8):
        update(model, optimizer)
    with told_once(f"iteration 0: {ANOTHER}; give the recorder the model that is trained"):
        validate(recorder, model)
        recorder.close()
    assert_told(recorder, ANOTHER, 0)


def test_a_training_without_validations_of_another_model_is_told_when_it_ends(record: Make) -> None:
    first = small_net()
    recorder = record(first, SGD(first.parameters(), 0.1), every=1)
    model = copy.deepcopy(first)
    optimizer = SGD(model.parameters(), 0.1)
    for _ in range(8):
        update(model, optimizer)
    with told_once(ANOTHER):
        recorder.close()
    assert_told(recorder, ANOTHER, 0)


@pytest.mark.parametrize("use", ["log", "validation"])
def test_a_copy_that_takes_the_place_of_the_model_is_told(record: Make, use: str) -> None:
    """The model that was given is gone, and its run has ended: whoever goes on with the recorder learns that."""
    model = small_net()
    optimizer = SGD(model.parameters(), 0.1)
    recorder = record(model, optimizer, every=1)
    update(model, optimizer)
    model = copy.deepcopy(model)
    optimizer = SGD(model.parameters(), 0.1)
    update(model, optimizer)
    with told_once(f"{use}: the model that run0.dtui records is gone, and with it the run has ended at iteration 0"):
        if use == "log":
            recorder.log(loss=1.0)
        else:
            validate(recorder, model)
        recorder.close()


def test_a_long_training_of_another_model_is_told_where_the_loop_logs(record: Make) -> None:
    model = small_net()
    recorder = record(model, SGD(model.parameters(), 0.1), every=1)
    weight = nn.Parameter(torch.ones(1))
    optimizer = SGD([weight], 0.1)
    with told_once(ANOTHER):
        for _ in range(1000):
            optimizer.step()
            recorder.log(loss=1.0)
        assert recorder._counting.unseen.reason, "while it happens"
        recorder.close()


def test_an_optimizer_of_the_model_that_was_copied_is_told(record: Make) -> None:
    """It goes on to be called, and changes nothing."""
    model = small_net()
    optimizer = SGD(model.parameters(), 0.1)
    recorder = record(model, optimizer, every=1)
    trained = copy.deepcopy(model)
    with told_once(f"iteration 15: {IDLE}; give the recorder the model that is trained"):
        for _ in range(20):
            backward(trained)
            optimizer.step()
    recorder.close()
    assert_told(recorder, IDLE, 15)


# --- what is no training


def average_validated(recorder: Recorder, model: nn.Module) -> None:
    """Put the weights of an average in, validate, and put the weights back."""
    own = copy.deepcopy(model.state_dict())
    model.load_state_dict({name: value * 0.9 for name, value in own.items()})
    validate(recorder, model)
    model.load_state_dict(own)


def test_an_average_that_is_put_in_for_a_validation_is_no_training(record: Make) -> None:
    model = small_net()
    optimizer = SGD(model.parameters(), 0.1)
    recorder = record(model, optimizer, every=1)
    for _ in range(3):
        for _ in range(20):
            update(model, optimizer)
            recorder.log(loss=1.0)
        average_validated(recorder, model)
    assert_nothing_was_told(recorder)


class Constrained(nn.Linear):
    """Keeps the norm of its weights in bounds in each forward pass, as some layers do."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            self.weight.copy_(torch.renorm(self.weight, 2, 0, 1.0))
        return super().forward(images)


def test_a_layer_that_bounds_its_own_weights_is_no_training(record: Make) -> None:
    model = small_net()
    model[4] = Constrained(54, 3, bias=False)
    optimizer = SGD(model.parameters(), 0.1)
    recorder = record(model, optimizer, every=1)
    for _ in range(2):
        for _ in range(50):  # micro-batches of one update
            model(data()[0])
            recorder.log(loss=1.0)
        update(model, optimizer)
        for _ in range(20):
            model(data()[0])
    assert_nothing_was_told(recorder)


def test_an_accumulated_gradient_is_no_update(record: Make) -> None:
    model = small_net()
    optimizer = SGD(model.parameters(), 0.1)
    recorder = record(model, optimizer, every=1)
    for _ in range(2):
        for _ in range(100):
            backward(model)
            recorder.log(loss=1.0)
        optimizer.step()
    assert_nothing_was_told(recorder)


def test_a_critic_that_is_trained_alone_for_long_is_nothing_unseen(record: Make) -> None:
    model = small_net()
    critic, judged = SGD(model[:4].parameters(), 0.1), SGD(model[4].parameters(), 0.1)
    recorder = record(model, [judged, critic], every=1)
    for _ in range(2):
        for _ in range(60):
            update(model, critic)
            recorder.log(loss=1.0)
        update(model, judged)
    assert_nothing_was_told(recorder)


def test_another_network_that_is_trained_between_is_nothing_unseen(record: Make) -> None:
    model, other = small_net(), small_net()
    optimizer, stranger = SGD(model.parameters(), 0.1), SGD(other.parameters(), 0.1)
    recorder = record(model, optimizer, every=1)
    for _ in range(2):
        update(model, optimizer)
        for _ in range(30):
            update(other, stranger)
            recorder.log(loss=1.0)
        validate(recorder, model)
    assert_nothing_was_told(recorder)


def test_weights_that_are_cleared_before_step_is_called_are_not_idle(record: Make) -> None:
    model = small_net()
    recorder = record(model, every=1)
    for _ in range(20):
        update_data_by_hand(model)
        model.zero_grad()
        recorder.step()
    assert_nothing_was_told(recorder)


def test_a_second_validation_without_an_update_says_what_may_be_missing(record: Make) -> None:
    model = small_net()
    recorder = record(model, SGD(model.parameters(), 0.1), every=1)
    validate(recorder, model)
    with told_once("iteration 0: validated twice without an update in between; the first counts"):
        validate(recorder, model)
    assert_nothing_was_told(recorder)


# --- what people see of it


def test_the_run_is_incomplete_wherever_it_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = small_net()
    optimizer = SGD(model.parameters(), 0.1)
    with Recorder(tmp_path / "run", model, optimizer, every=1) as recorder:
        update(model, optimizer)
        with told_once(CHANGED):
            for _ in range(20):
                update_by_hand(model)
                recorder.log(loss=1.0)
    main(["info", str(tmp_path / "run")])
    shown = capsys.readouterr().out
    assert f"incomplete: from iteration 0: {CHANGED}" in shown
    assert f"records 0 to 0: {CHANGED}" in shown
    main(["runs", str(tmp_path)])
    assert "incomplete" in capsys.readouterr().out
    main(["info", str(tmp_path / "run"), "--json"])
    assert '"status": "incomplete"' in capsys.readouterr().out


def test_a_crash_is_the_reason_also_where_updates_were_not_seen(record: Make) -> None:
    model = small_net()
    recorder = record(model, every=1)

    def train() -> None:
        with recorder:
            for _ in range(20):
                update_by_hand(model)
                recorder.log(loss=1.0)
            raise KeyError("batch")

    with told_once(CHANGED), pytest.raises(KeyError):
        train()
    assert (recorder.store.status, recorder.store.reason) == (RunStatus.CRASHED, "KeyError: 'batch'")
    assert [gap.reason for gap in recorder.store.gaps] == [CHANGED]


# --- no update at all


def test_a_training_without_any_update_of_the_model_is_told(record: Make) -> None:
    """As in functional code, whose weights are new tensors after each update: the model's own never change."""
    model = small_net()
    recorder = record(model, every=1)
    weights = {name: own.detach().clone().requires_grad_() for name, own in model.named_parameters()}
    images, labels = data()
    with told_once("iteration 0: no update of the model was seen; give the recorder the model and the optimizer"):
        for _ in range(3):
            loss = nn.functional.cross_entropy(torch.func.functional_call(model, weights, (images,)), labels)
            found = torch.autograd.grad(loss, list(weights.values()))
            for own, slope in zip(weights.values(), found, strict=True):
                own.data = own.data - 0.1 * slope
        recorder.close()
    assert_told(recorder, "no update of the model was seen", 0)


def test_a_model_that_is_never_called_is_no_training(record: Make) -> None:
    assert_nothing_was_told(record(small_net(), every=1))


def test_weights_made_in_inference_mode_are_recorded(record: Make) -> None:
    """As in a search by evolution: torch counts no changes of theirs, and makes no gradients."""
    with torch.inference_mode():
        model = small_net()
    recorder = record(model, every=1)
    for _ in range(17):
        with torch.inference_mode():
            for parameter in model.parameters():
                parameter.mul_(0.9)
        recorder.step()
    assert_nothing_was_told(recorder)
    assert len(recorder.store.records) == 17


# --- another model in the place of the recorded one


def another_like_it() -> tuple[nn.Module, Optimizer]:
    model = small_net()
    return model, SGD(model.parameters(), 0.1)


REPLACED = "the recorded model was updated no more, but another like it"


def test_a_model_that_another_one_like_it_replaces_is_told_while_it_happens(record: Make) -> None:
    """The folds of a cross-validation, of which all models are kept."""
    recorder = record(*(first := another_like_it()), every=1)
    folds = [first, another_like_it(), another_like_it()]
    with told_once(f"iteration 4: {REPLACED}, 100 times; close the recorder when its training ends, and make another"):
        for (model, optimizer), updates in zip(folds, (5, 60, 60), strict=True):
            for _ in range(updates):
                update(model, optimizer)
        assert recorder._counting.unseen._is_replaced, "while it happens"
        recorder.close()
    assert recorder.store.reason == "", "what was recorded is whole"
    assert [(gap.first, gap.last, gap.reason) for gap in recorder.store.gaps] == [(4, 4, REPLACED)]


def test_a_model_that_was_replaced_for_few_updates_is_told_at_the_end(record: Make) -> None:
    recorded, other = another_like_it(), another_like_it()
    recorder = record(*recorded, every=1)
    for pair, updates in ((recorded, 5), (other, 20)):
        for _ in range(updates):
            update(*pair)
    with told_once(f"iteration 4: {REPLACED}, 20 times"):
        recorder.close()


def test_a_model_of_another_shape_is_given_a_thousand_updates(record: Make) -> None:
    """It may be a probe on top of the recorded one."""
    recorded, other = another_like_it(), nn.Linear(2, 2)
    recorder = record(*recorded, every=1)
    update(*recorded)
    optimizer = SGD(other.parameters(), 0.1)
    for _ in range(999):
        optimizer.step()
    assert not recorder._counting.unseen._is_replaced
    with told_once("iteration 0: the recorded model was updated no more, but another, 1,000 times"):
        optimizer.step()
        recorder.close()


def test_models_that_are_trained_in_turns_are_told_of_nothing(record: Make) -> None:
    """An epoch each (DivideMix), or a copy that takes many steps between two updates (Reptile)."""
    recorded, other = another_like_it(), another_like_it()
    recorder = record(*recorded, every=1)
    for own, turn in ((130, 130), (130, 130), (1, 150), (1, 150)):
        for _ in range(own):
            update(*recorded)
        for _ in range(turn):
            other[1].step()
    update(*recorded)
    assert_nothing_was_told(recorder)
