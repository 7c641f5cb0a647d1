"""The recorder on every kind of training loop, and what it must leave alone."""

from __future__ import annotations

import copy
import io
import math
import pickle
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch._dynamo.testing
from torch import Tensor, nn
from torch.nn import functional

from dtui.model import FILTER_STATISTICS, LAYER_STATISTICS, SOURCES, RunStatus
from dtui.record import RecorderWarning
from tests.record.conftest import RecorderUnderTest, small_net

Make = Callable[..., RecorderUnderTest]


def data(count: int = 12) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(5)
    return torch.randn(count, 1, 8, 8, generator=generator), torch.randint(0, 3, (count,), generator=generator)


def update(model: nn.Module, optimizer: torch.optim.Optimizer) -> float:
    images, labels = data()
    optimizer.zero_grad()
    loss = functional.cross_entropy(model(images), labels)
    loss.backward()
    optimizer.step()
    return float(loss)


def iterations(recorder: RecorderUnderTest) -> list[int]:
    recorder.close()
    return [record.iteration for record in recorder.store.records]


@pytest.mark.parametrize(
    "make",
    [
        lambda parameters: torch.optim.SGD(parameters, lr=0.1),
        lambda parameters: torch.optim.SGD(parameters, lr=0.1, foreach=True, momentum=0.9),
        lambda parameters: torch.optim.AdamW(parameters, lr=1e-3, fused=True),
        lambda parameters: torch.optim.RMSprop(parameters, lr=1e-3),
    ],
    ids=["sgd", "foreach", "fused adamw", "rmsprop"],
)
def test_every_optimizer_counts_its_updates(record: Make, make: Any) -> None:
    model = small_net()
    optimizer = make(model.parameters())
    recorder = record(model, optimizer, every=3)
    for _ in range(8):
        update(model, optimizer)
    assert recorder.iteration == 7
    assert iterations(recorder) == [0, 3, 6, 7]


def test_lbfgs_counts_one_iteration_a_step_however_often_it_looks(record: Make) -> None:
    model = small_net()
    optimizer = torch.optim.LBFGS(model.parameters(), max_iter=3)
    recorder = record(model, optimizer, every=1)
    images, labels = data()

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = functional.cross_entropy(model(images), labels)
        loss.backward()
        return loss

    for _ in range(2):
        optimizer.step(closure)
    assert iterations(recorder) == [0, 1]


def test_accumulated_gradients_are_recorded_whole_once_an_update(record: Make) -> None:
    model = small_net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    recorder = record(model, optimizer, every=1)
    images, labels = data()
    for _ in range(2):
        for part in range(4):
            chosen = slice(3 * part, 3 * part + 3)
            (functional.cross_entropy(model(images[chosen]), labels[chosen]) / 4).backward()
        wanted = model[0].weight.grad.flatten(1).norm(dim=1)
        optimizer.step()
        optimizer.zero_grad()
    assert iterations(recorder) == [0, 1]
    found = recorder.store.records[1].filters[FILTER_STATISTICS.index("gradient_norm"), :4]
    np.testing.assert_allclose(found, wanted.numpy(), rtol=1e-5)


@pytest.mark.parametrize("fused", [False, True])
def test_scaled_gradients_are_recorded_unscaled_and_skipped_updates_do_not_count(record: Make, fused: bool) -> None:
    model = small_net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, fused=fused)
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    recorder = record(model, optimizer, every=1)
    images, labels = data()
    for step in range(3):
        optimizer.zero_grad()
        loss = functional.cross_entropy(model(images), labels)
        wanted = torch.autograd.grad(loss, model[0].weight, retain_graph=True)[0].flatten(1).norm(dim=1)
        scaler.scale(loss * float("inf") if step == 1 else loss).backward()
        scaler.step(optimizer)
        scaler.update()
    assert iterations(recorder) == [0, 1]
    found = recorder.store.records[1].filters[FILTER_STATISTICS.index("gradient_norm"), :4]
    np.testing.assert_allclose(found, wanted.numpy(), rtol=1e-4)
    assert [record.scalars.get("skipped_updates") for record in recorder.store.records] == [None, 1]


def scaled_update(model: nn.Module, optimizer: torch.optim.Optimizer, scaler: Any, factor: float = 1.0) -> None:
    images, labels = data()
    optimizer.zero_grad()
    scaler.scale(functional.cross_entropy(model(images), labels) * factor).backward()
    scaler.step(optimizer)
    scaler.update()


def test_on_a_gpu_a_skipped_update_is_judged_by_the_writer(record: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody may wait for the device: the iteration counts, and its record holds nothing of the gradients left out."""
    monkeypatch.setattr("dtui.record.training.skipped_updates._is_at_hand", lambda tensor: False)
    model = small_net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, fused=True)
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    recorder = record(model, optimizer, every=1)
    for step in range(4):
        scaled_update(model, optimizer, scaler, math.inf if step in (1, 2) else 1.0)
    assert iterations(recorder) == [0, 1, 2, 3]
    records = recorder.store.records
    assert [record.scalars.get("skipped_updates") for record in records] == [None, 1, 2, 2]
    norm, nonfinite = FILTER_STATISTICS.index("gradient_norm"), FILTER_STATISTICS.index("nonfinite")
    assert [bool(np.isnan(record.filters[norm]).all()) for record in records] == [False, True, True, False]
    assert [bool(record.filters[nonfinite].sum() > 0) for record in records] == [False] * 4
    gradients, counted = SOURCES.index("gradients"), LAYER_STATISTICS.index("nonfinite")
    assert [bool(record.layers[gradients, counted, 2] > 0) for record in records] == [False] * 4
    assert [bool(record.modules[gradients, counted, 0] > 0) for record in records] == [False] * 4
    assert np.isfinite(records[3].filters[norm]).all()


def test_only_the_skipped_updates_of_the_recorded_optimizer_count(record: Make) -> None:
    model, other = small_net(), small_net()
    optimizer, stranger = (torch.optim.SGD(some.parameters(), lr=0.1) for some in (model, other))
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    before = torch.amp.GradScaler.step
    first, second = record(model, optimizer, every=1), record(other, stranger, every=1)
    scaled_update(model, optimizer, scaler, math.inf)
    first.close()
    scaled_update(other, stranger, scaler)
    scaled_update(model, optimizer, scaler, math.inf)
    copy.deepcopy(scaler), pickle.dumps(scaler)
    assert iterations(second) == [0]
    assert torch.amp.GradScaler.step is before
    assert second.store.records[0].scalars.keys() == {"learning_rate"}
    assert first._counting.skips.take()().count == 1


@pytest.mark.parametrize("enabled", [False, True])
def test_mixed_precision_is_the_same_training_with_and_without_a_recorder(record: Make, enabled: bool) -> None:
    """Autocast to bfloat16, a scaler that skips, and its growth: the losses and the scale are the same bit by bit."""

    def train(recorded: bool) -> tuple[list[float], float]:
        torch.manual_seed(1)
        model = small_net()
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
        scaler = torch.amp.GradScaler("cpu", init_scale=1024.0, growth_interval=2, enabled=enabled)
        recorder = record(model, optimizer, every=1) if recorded else None
        images, labels = data()
        losses = []
        for step in range(6):
            optimizer.zero_grad()
            with torch.autocast("cpu", torch.bfloat16):
                loss = functional.cross_entropy(model(images), labels)
            losses.append(float(loss))
            scaler.scale(loss * (math.inf if enabled and step == 2 else 1)).backward()
            scaler.unscale_(optimizer)
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            scaler.step(optimizer)
            scaler.update()
        if recorder is not None:
            assert iterations(recorder) == list(range(5 if enabled else 6))
        return losses, scaler.get_scale()

    assert train(True) == train(False)


def test_the_first_of_several_optimizers_counts(record: Make) -> None:
    model = small_net()
    body = torch.optim.SGD(model[0].parameters(), lr=0.1)
    head = torch.optim.SGD(model[4].parameters(), lr=0.1)
    recorder = record(model, [body, head], every=1)
    for _ in range(3):
        update(model, body)
        head.step()
    assert iterations(recorder) == [0, 1, 2]


def test_without_an_optimizer_the_loop_calls_step(record: Make) -> None:
    model = small_net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    recorder = record(model, every=2)
    for _ in range(3):
        update(model, optimizer)
        recorder.step()
    assert iterations(recorder) == [0, 2]
    assert not np.isnan(recorder.store.records[1].filters[FILTER_STATISTICS.index("gradient_norm")]).any()


def test_a_scheduler_is_followed_in_the_learning_rate(record: Make) -> None:
    model = small_net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.4)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1, gamma=0.5)
    recorder = record(model, optimizer, every=1)
    for _ in range(3):
        update(model, optimizer)
        scheduler.step()
    recorder.close()
    assert [record.scalars["learning_rate"] for record in recorder.store.records] == [0.4, 0.2, 0.1]


def test_a_record_holds_the_last_value_logged_of_each_name(record: Make) -> None:
    model = small_net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    recorder = record(model, optimizer, every=2)
    for step in range(5):
        loss = torch.tensor(float(step), requires_grad=True)
        recorder.log(loss=loss, error=step / 10)
        if step == 3:
            recorder.log(extra=np.float32(7))
        update(model, optimizer)
    recorder.close()
    logged = [dict(record.scalars) for record in recorder.store.records]
    assert [entry.pop("learning_rate") for entry in logged] == [0.1] * 3
    assert [entry.pop("learning_rate_max", None) for entry in logged] == [None, 0.1, 0.1]
    assert [entry.pop("loss_max", None) for entry in logged] == [None, 2, 4]
    assert logged == [{"loss": 0, "error": 0}, {"loss": 2, "error": 0.2}, {"loss": 4, "error": 0.4, "extra": 7}]


def test_what_is_no_number_is_left_out_and_told_once(record: Make) -> None:
    model = small_net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    recorder = record(model, optimizer, every=1)
    with pytest.warns(RecorderWarning, match="log: losses is not a single number") as told:
        recorder.log(losses=torch.ones(3), loss=1.0)
    recorder.log(losses=torch.ones(3), loss=1.0)
    assert len(told) == 1
    update(model, optimizer)
    recorder.close()
    assert set(recorder.store.records[0].scalars) == {"loss", "loss_max", "learning_rate"}


def test_a_compiled_model_is_recorded_under_the_names_of_the_model_inside(record: Make) -> None:
    model = small_net()
    compiled = torch.compile(model, backend="eager")
    optimizer = torch.optim.SGD(compiled.parameters(), lr=0.1)
    recorder = record(compiled, optimizer, every=1)
    images, labels = data()
    for _ in range(3):
        update(compiled, optimizer)
    with recorder.validation([(images, labels)]):
        compiled(images)
    assert iterations(recorder) == [0, 1, 2]
    assert [layer.name for layer in recorder.store.structure.layers] == ["0", "2", "4"]
    assert recorder.store.validations[0].labels.tolist() == [
        label
        for _, label in sorted(zip(labels.tolist(), model(images).argmax(1).tolist(), strict=True), key=lambda p: p[0])
    ]


def test_a_model_that_is_compiled_later_compiles_as_one_graph(record: Make) -> None:
    model = small_net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    recorder = record(model, optimizer, every=1)
    compiled = torch.compile(model, backend="eager", fullgraph=True)
    for _ in range(2):
        update(compiled, optimizer)
    images, labels = data()
    with recorder.validation([(images, labels)], model=compiled):
        compiled(images)
    assert iterations(recorder) == [0, 1]
    assert len(recorder.store.validations) == 1


@pytest.mark.parametrize("what", ["step", "optimizer", "loss"])
def test_what_is_compiled_is_compiled_as_often_as_without_a_recorder(record: Make, what: str) -> None:
    """A whole step, the optimizer's update, or a function around the model: same losses, no graph more."""

    def train(recorded: bool) -> tuple[list[float], int]:
        torch._dynamo.reset()
        torch.manual_seed(0)
        counter = torch._dynamo.testing.CompileCounterWithBackend("eager")
        model = nn.Sequential(nn.Flatten(), nn.Linear(64, 3))
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        recorder = record(model, optimizer, every=1) if recorded else None
        images, labels = data()

        def compiled(function: Any, name: str) -> Any:
            return torch.compile(function, backend=counter) if what == name else function

        loss_of = compiled(lambda: functional.cross_entropy(model(images), labels), "loss")
        take = compiled(optimizer.step, "optimizer")

        def step() -> Tensor:
            optimizer.zero_grad()
            loss = loss_of()
            loss.backward()
            take()
            return loss

        step = compiled(step, "step")
        losses = [float(step()) for _ in range(3)]
        if recorder is not None:
            assert iterations(recorder) == [0, 1, 2]
        return losses, counter.frame_count

    assert train(True) == train(False)


def test_an_averaged_model_of_torch_is_a_copy_that_can_be_validated(record: Make) -> None:
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(144, 3))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    recorder = record(model, optimizer, every=1)
    average = torch.optim.swa_utils.AveragedModel(model, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.5))
    images, labels = data()
    for _ in range(3):
        update(model, optimizer)
        average.update_parameters(model)
    torch.optim.swa_utils.update_bn([(images, labels)], average)
    with recorder.validation([(images, labels)], model=average), torch.inference_mode():
        wanted = average.eval()(images).argmax(1)
    assert average.training
    assert iterations(recorder) == [0, 1, 2]
    assert [layer.name for layer in recorder.store.structure.layers] == ["0", "3"]
    order = np.argsort(labels.numpy(), kind="stable")
    assert recorder.store.validations[0].labels.tolist() == wanted.numpy()[order].tolist()
    assert recorder.store.structure.edges


def test_copies_and_pickles_of_model_optimizer_and_recorder_are_not_recorded(record: Make) -> None:
    model = small_net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    recorder = record(model, optimizer, every=1)
    average = copy.deepcopy(model)
    other = copy.deepcopy(optimizer)
    torch.save(model, io.BytesIO())
    assert copy.deepcopy(recorder) is recorder
    assert pickle.loads(pickle.dumps(recorder)) is None
    average(data()[0])
    update(model, optimizer)
    other.step()
    with torch.no_grad():
        for mean, parameter in zip(average.parameters(), model.parameters(), strict=True):
            mean.lerp_(parameter, 0.1)
    update(model, optimizer)
    assert iterations(recorder) == [0, 1]
    assert recorder.store.structure.edges[0].source == "input"


def test_an_average_of_the_model_can_be_validated(record: Make) -> None:
    model = small_net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    recorder = record(model, optimizer, every=1)
    average = copy.deepcopy(model)
    update(model, optimizer)
    images, labels = data()
    with recorder.validation([(images, labels)], model=average):
        wanted = average(images).argmax(1)
    recorder.close()
    order = np.argsort(labels.numpy(), kind="stable")
    assert recorder.store.validations[0].labels.tolist() == wanted.numpy()[order].tolist()


def train(recorded: Make | None, tmp: list[Any]) -> tuple[list[float], bytes]:
    """Train with dropout, shuffling and augmentation; return the losses and the state of every generator."""
    torch.manual_seed(3)
    random.seed(3)
    np.random.seed(3)  # noqa: NPY002 - the generator that a user's augmentation draws from
    images, labels = data(24)
    model = nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(0.3), nn.Flatten(), nn.Linear(144, 3)
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    dataset = torch.utils.data.TensorDataset(images, labels)
    loader = torch.utils.data.DataLoader(dataset, 8, shuffle=True)
    held = torch.utils.data.DataLoader(dataset, 8, shuffle=True)
    recorder = recorded(model, optimizer, every=1) if recorded else None
    losses = []

    def evaluate() -> None:
        model.eval()
        with torch.no_grad():
            losses.append(float(sum(functional.cross_entropy(model(x), y) for x, y in held)))
        model.train()

    for _ in range(3):
        for batch, target in loader:
            optimizer.zero_grad()
            loss = functional.cross_entropy(model(batch + torch.randn_like(batch) * random.random()), target)
            loss.backward()
            optimizer.step()
            if recorder:
                recorder.log(loss=loss)
            losses.append(float(loss))
        if recorder:
            with recorder.validation(held):
                evaluate()
        else:
            evaluate()
    if recorder:
        recorder.close()
        tmp.append(getattr(recorder, "store", None))
    numpy_state = np.random.get_state()  # noqa: NPY002 - see above
    buffer = io.BytesIO()
    torch.save([torch.get_rng_state(), model.state_dict(), optimizer.state_dict()], buffer)
    return losses, pickle.dumps((losses, random.getstate(), numpy_state)) + buffer.getvalue()


def test_a_recorded_training_is_the_same_training_bit_for_bit(record: Make) -> None:
    stores: list[Any] = []
    plain, plain_state = train(None, stores)
    recorded, recorded_state = train(record, stores)
    assert recorded == plain
    assert recorded_state == plain_state
    assert len(stores[0].records) == 9
    assert len(stores[0].validations) == 3


def test_an_exception_ends_the_run_as_crashed_and_passes_through(record: Make) -> None:
    model = small_net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    recorder = record(model, optimizer, every=1)

    def interrupted() -> None:
        with recorder:
            update(model, optimizer)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert recorder.store.status is RunStatus.CRASHED
    assert recorder.store.reason == "KeyboardInterrupt"
    assert len(recorder.store.records) == 1
    update(model, optimizer)
    assert recorder.iteration == 0


def test_closing_ends_the_run_once(record: Make) -> None:
    model = small_net()
    with record(model, every=1) as recorder:
        recorder.step()
    recorder.close()
    assert recorder.store.status is RunStatus.DONE


def test_sequential_batches_need_no_sampler_and_hooks_are_gone_afterwards(record: Make) -> None:
    model = small_net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    before = {name: len(getattr(model, name)) for name in ("_forward_hooks", "_forward_pre_hooks")}
    recorder = record(model, optimizer, every=1)
    update(model, optimizer)
    images, labels = data()
    with recorder.validation([(images[:5], labels[:5]), (images[5:], labels[5:])]):
        model(images[:5]), model(images[5:])
    recorder.close()
    assert {name: len(getattr(model, name)) for name in before} == before
    assert all(not module._forward_hooks and not module._forward_pre_hooks for module in model.modules())
    assert not optimizer._optimizer_step_post_hooks
