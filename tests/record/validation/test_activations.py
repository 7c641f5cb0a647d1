"""Activations of a validation: two numbers a filter and nine images, as counted image by image."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as functional
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from dtui.model import ActivationPlace
from dtui.record import Recorder, RecorderWarning
from dtui.record.validation.activations.part import MISSING, MOST_EXCITING, ZEROS, ActivationPart, merge_parts
from dtui.store import RunReader
from tests.record.conftest import MemoryStore, RecorderUnderTest

Make = Callable[..., RecorderUnderTest]
COUNT = 37
ReadOut = dict[str, Tensor]


class Net(nn.Module):
    """ReLUs as modules, as functions, shared and in place; a residual branch; a fully connected layer on tokens."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.stem, self.conv1, self.conv2 = nn.Conv2d(1, 4, 3), nn.Conv2d(4, 4, 3, padding=1), nn.Conv2d(4, 4, 1)
        self.norm1, self.norm2, self.relu = nn.BatchNorm2d(4), nn.BatchNorm2d(4), nn.ReLU(inplace=True)
        self.tokens, self.head = nn.Linear(4, 6), nn.Linear(6, 3)
        nn.init.constant_(self.norm1.bias[1:2], -50.0)  # a filter that lets nothing through

    def forward(self, images: Tensor) -> Tensor:
        return self.steps(images)["head"]

    def steps(self, images: Tensor) -> ReadOut:
        """What each layer's filters give on, by the layer's name, and before a ReLU where one follows."""
        seen: ReadOut = {"stem": self.stem(images)}
        shortcut = functional.relu(seen["stem"])
        seen["conv1"] = self.norm1(self.conv1(shortcut))
        branch = self.relu(seen["conv1"])
        seen["conv2"] = self.norm2(self.conv2(branch))
        joined = functional.relu(seen["conv2"] + shortcut)
        seen["tokens"] = self.tokens(joined.flatten(2).transpose(1, 2))
        seen["head"] = self.head(functional.gelu(seen["tokens"]).mean(1))
        return seen


HAS_RELU = {"stem", "conv1"}
CHANNEL = {"stem": 1, "conv1": 1, "conv2": 1, "tokens": 2, "head": 1}


def slow_answer(model: Net, images: Tensor) -> dict[str, tuple[Any, Any, Any]]:
    """Share of zeros, mean, and largest value of each image, one image and one filter at a time."""
    still = copy.deepcopy(model)
    still.relu = nn.ReLU()
    found: dict[str, tuple[Any, Any, Any]] = {}
    with torch.no_grad():
        seen = [still.steps(image[None]) for image in images]
    for name, axis in CHANNEL.items():
        values = torch.cat([one[name].double().movedim(axis, 0).flatten(1)[:, None] for one in seen], 1)
        active = values.clamp(min=0) if name in HAS_RELU else values
        share = [float((filter_ <= 0).double().mean()) for filter_ in values]
        found[name] = share, [float(filter_.mean()) for filter_ in active], values.amax(2).numpy()
    return found


def images_and_labels(count: int = COUNT) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(7)
    return torch.randn(count, 1, 8, 8, generator=generator), torch.randint(0, 3, (count,), generator=generator)


def train_once(model: nn.Module, optimizer: torch.optim.Optimizer, images: Tensor, labels: Tensor) -> None:
    functional.cross_entropy(model(images), labels).backward()
    optimizer.step()
    optimizer.zero_grad()


@pytest.fixture
def begun(record: Make) -> tuple[RecorderUnderTest, Net]:
    """A recorder that has seen one update, and its network."""
    model = Net()
    optimizer = torch.optim.SGD(model.parameters(), 0.01)
    recorder = record(model, optimizer, every=1, activations=True)
    train_once(model, optimizer, *images_and_labels())
    return recorder, model.eval()


def check(store: MemoryStore, model: Net, images: Tensor, *, close: float = 1e-3) -> None:
    assert store.images is not None
    columns = store.validations[-1].columns
    nine = columns["most_exciting"].reshape(-1, 9)
    ids = np.array([int(one) for one in store.images.ids])
    for layer in store.structure.layers:
        share, mean, peaks = slow_answer(model, images)[layer.name]
        rows = layer.filter_rows
        np.testing.assert_allclose(columns["activation_zeros"][rows], share, atol=1 / 2048 + (close > 1e-3) * close)
        np.testing.assert_allclose(columns["activation_mean"][rows], mean, rtol=close, atol=close)
        for filter_, found in enumerate(nine[rows]):
            order = np.argsort(-peaks[filter_], kind="stable")
            wanted = [at for at in order if layer.name not in HAS_RELU or peaks[filter_][at] > 0][:9]
            kept = found[found != MISSING]
            assert len(kept) == len(set(kept)) == len(wanted)
            if close <= 1e-3:
                assert ids[kept].tolist() == wanted
    assert columns["activation_zeros"][store.structure.layers[1].first_filter + 1] == 1.0
    assert (nine[store.structure.layers[1].first_filter + 1] == MISSING).all()


def test_places(begun: tuple[RecorderUnderTest, Net]) -> None:
    recorder, _ = begun
    recorder.close()
    assert recorder.store.structure.activations == (
        ActivationPlace("stem", "relu"),
        ActivationPlace("norm1", "relu"),
        ActivationPlace("norm2", ""),  # a sum follows
        ActivationPlace("tokens", "gelu"),
        ActivationPlace("head", ""),
    )


@pytest.mark.parametrize(
    "how",
    [
        *("plain", "shuffled", "predictions", "twice a batch", "channels last", "inference"),
        *("judged", "judged at the end", "judged without a loader", "judged as twice as many"),
    ],
)
def test_counts(begun: tuple[RecorderUnderTest, Net], how: str) -> None:
    recorder, model = begun
    images, labels = images_and_labels()
    if how == "channels last":
        model.to(memory_format=torch.channels_last)
    loader = DataLoader(TensorDataset(images, labels, torch.arange(COUNT)), 5, shuffle=how == "shuffled")
    guard = torch.inference_mode() if how == "inference" else torch.no_grad()
    is_judged = how.startswith("judged")
    by_batch = how in ("judged", "judged without a loader")
    given = None if how in ("predictions", "judged without a loader") else loader
    with recorder.validation(given, target=1), guard:
        for some, true, ids in loader:
            if how == "twice a batch":
                model(some)
            logits = model(some.contiguous(memory_format=torch.channels_last) if how == "channels last" else some)
            if how == "predictions":
                recorder.predictions(logits, true, ids)
            elif by_batch:
                recorder.judge(ids, logits[:, 0], threshold=0.0)
        if is_judged and not by_batch:
            ids = torch.arange(COUNT if how == "judged at the end" else 2 * COUNT)
            recorder.judge(ids, torch.zeros(len(ids)), threshold=0.0)
    recorder.close()
    if how == "judged as twice as many":
        nine = recorder.store.validations[-1].columns[MOST_EXCITING]
        assert (nine == MISSING).all(), "nobody knows which image an item is of"
    else:
        check(recorder.store, model, images)


def test_of_several_calls_for_a_batch_an_image_has_its_largest_value(begun: tuple[RecorderUnderTest, Net]) -> None:
    recorder, model = begun
    images, labels = images_and_labels()
    loader = DataLoader(TensorDataset(images, labels), 5)
    with recorder.validation(loader), torch.no_grad():
        for some, _ in loader:
            model(some)
            model(-some)
    recorder.close()
    store = recorder.store
    assert store.images is not None
    with torch.no_grad():
        both = [model.stem(images).amax((2, 3)), model.stem(-images).amax((2, 3))]
    wanted = torch.maximum(*both).topk(9, dim=0).indices.T.tolist()
    rows = store.validations[-1].columns["most_exciting"].reshape(-1, 9)[store.structure.layers[0].filter_rows]
    assert [[int(store.images.ids[row]) for row in nine] for nine in rows.tolist()] == wanted


def test_half_precision_counts_in_whole_numbers(begun: tuple[RecorderUnderTest, Net]) -> None:
    recorder, model = begun
    images, labels = images_and_labels()
    loader = DataLoader(TensorDataset(images, labels), 9)
    with recorder.validation(loader), torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        for some, _ in loader:
            model(some)
    recorder.close()
    check(recorder.store, model, images, close=0.05)


def test_an_evaluation_is_the_same_to_the_last_bit(record: Make) -> None:
    images, labels = images_and_labels()
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    model = nn.Sequential(nn.Flatten(2), nn.Linear(64, 8), layer, nn.Flatten(), nn.Linear(8, 3))
    optimizer = torch.optim.SGD(model.parameters(), 0.01)
    recorder = record(model, optimizer, every=1, activations=True)
    train_once(model, optimizer, images, labels)
    model.eval()
    hooks = [len(module._forward_hooks) for module in model.modules()]
    loader = DataLoader(TensorDataset(images, labels), 8)
    with torch.no_grad():
        wanted = [model(some) for some, _ in loader]
        with recorder.validation(loader):
            found = [model(some) for some, _ in loader]
    recorder.close()
    assert all(torch.equal(one, other) for one, other in zip(wanted, found, strict=True))
    assert [len(module._forward_hooks) for module in model.modules()] == hooks
    columns = recorder.store.validations[0].columns
    is_left_alone = [
        np.isnan(columns["activation_zeros"][one.filter_rows]).all() for one in recorder.store.structure.layers
    ]
    assert is_left_alone == [False, True, True, True, True, False]


def test_an_average_is_read_where_it_is_called(begun: tuple[RecorderUnderTest, Net]) -> None:
    recorder, model = begun
    images, labels = images_and_labels()
    average = copy.deepcopy(model)
    model.stem = nn.Conv2d(1, 4, 3)  # no record has found it yet
    with torch.no_grad():
        average.stem.weight.mul_(-2)
    loader = DataLoader(TensorDataset(images, labels), 8)
    with recorder.validation(loader, model=average), torch.no_grad():
        for some, _ in loader:
            average(some)
    recorder.close()
    check(recorder.store, average, images)


def test_a_part_of_the_model_is_read_by_its_names_there(record: Make) -> None:
    """A student beside its teacher, as in a distillation."""
    pair = nn.ModuleDict({"teacher": Net().requires_grad_(False), "student": Net()})
    student, (images, labels) = pair["student"], images_and_labels()
    optimizer = torch.optim.SGD(student.parameters(), 0.01)
    recorder = record(pair, optimizer, every=1, activations=True)
    train_once(student, optimizer, images, labels)
    loader = DataLoader(TensorDataset(images, labels), 8)
    with recorder.validation(loader, model=student.eval()), torch.no_grad():
        for some, _ in loader:
            student(some)
    recorder.close()
    zeros = recorder.store.validations[-1].columns[ZEROS]
    told = {one.name: zeros[one.filter_rows] for one in recorder.store.structure.layers}
    for name, (share, _, _) in slow_answer(student, images).items():
        np.testing.assert_allclose(told[f"student.{name}"], share, atol=1 / 2048)
        assert np.isnan(told[f"teacher.{name}"]).all()


def test_a_layer_called_several_times_a_pass(record: Make) -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(1)
            self.conv, self.head = nn.Conv2d(1, 1, 3, padding=1), nn.Linear(64, 3)

        def forward(self, images: Tensor) -> Tensor:
            return self.head(self.conv(self.conv(images).relu()).relu().flatten(1))

    images, labels = images_and_labels()
    model = Twice()
    with torch.no_grad():
        model.conv.weight.mul_(2.5)  # of some images the first call has the largest value, of others the second
    optimizer = torch.optim.SGD(model.parameters(), 0.0)
    recorder = record(model, optimizer, every=1, activations=True)
    train_once(model, optimizer, images, labels)
    loader = DataLoader(TensorDataset(images, labels), 8)
    with recorder.validation(loader), torch.no_grad():
        for some, _ in loader:
            model(some)
        once = model.conv(images)
        both = torch.stack([once, model.conv(once.relu())])
    recorder.close()
    store = recorder.store
    assert store.structure.activations[0] == ActivationPlace("conv", "relu")
    columns = store.validations[0].columns
    assert columns["activation_zeros"][0] == pytest.approx(float((both <= 0).float().mean()), abs=1 / 2048)
    assert store.images is not None
    best = [int(store.images.ids[row]) for row in columns["most_exciting"][:9]]
    assert best == both.amax((0, 2, 3, 4)).topk(9).indices.tolist()


class Turned(nn.Module):
    """Not a ReLU, in its place: what was largest is smallest."""

    def forward(self, values: Tensor) -> Tensor:
        return values.neg_()


@pytest.mark.parametrize("block", [12, 1 << 17], ids=["in blocks", "at once"])
@pytest.mark.parametrize("function", [nn.ReLU(inplace=True), Turned()], ids=["relu", "turned"])
def test_a_fully_connected_layer_before_what_works_in_its_place(
    record: Make, monkeypatch: pytest.MonkeyPatch, function: nn.Module, block: int
) -> None:
    """Where an image has one value a filter nothing is summed up: the numbers are no views of what changes later."""
    monkeypatch.setattr("dtui.record.validation.activations.tally.BLOCK", block)
    images, labels = images_and_labels()
    torch.manual_seed(2)
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 6), function, nn.Linear(6, 3))
    optimizer = torch.optim.SGD(model.parameters(), 0.01)
    recorder = record(model, optimizer, every=1, activations=True)
    train_once(model, optimizer, images, labels)
    loader = DataLoader(TensorDataset(images, labels), 8)
    with recorder.validation(loader), torch.no_grad():
        for some, _ in loader:
            model(some)
    recorder.close()
    with torch.no_grad():
        values = model[1](images.flatten(1)).double()
    after = values.clamp(min=0) if isinstance(function, nn.ReLU) else values
    columns = recorder.store.validations[0].columns
    np.testing.assert_allclose(columns["activation_zeros"][:6], (values <= 0).double().mean(0), atol=1 / 2048)
    np.testing.assert_allclose(columns["activation_mean"][:6], after.mean(0), rtol=1e-3, atol=1e-3)
    assert recorder.store.images is not None
    best = [int(recorder.store.images.ids[row]) for row in columns["most_exciting"][: 6 * 9 : 9]]
    assert best == values.argmax(0).tolist()


def in_trouble(recorder: RecorderUnderTest, model: Net, trouble: str) -> None:
    """Evaluate in a way that gives no activations, or not all."""
    images, labels = images_and_labels()
    loader = DataLoader(TensorDataset(images, labels), 8)
    called: Any = torch.compile(model, backend="eager") if trouble == "compiled" else model
    if trouble == "no layer":
        model.forward = lambda some: torch.zeros(len(some), 3)  # type: ignore[method-assign]
    if trouble == "tokens":
        model.tokens.register_forward_hook(lambda module, args, output: output.transpose(1, 2))
        model.head.forward = lambda some: torch.zeros(len(some), 3)  # type: ignore[method-assign]
    if trouble != "no validation":
        with recorder.validation(loader, model=called), torch.no_grad():
            for some, _ in loader:
                model(some)
    recorder.close()


@pytest.mark.parametrize("trouble", ["compiled", "no layer", "no validation", "tokens"])
def test_trouble_is_told_in_one_line(begun: tuple[RecorderUnderTest, Net], trouble: str) -> None:
    with pytest.warns(RecorderWarning) as told:
        in_trouble(*begun, trouble)
    lines = [str(one.message) for one in told if "activations" in str(one.message)]
    assert len(lines) == 1
    assert trouble in lines[0]
    assert "\n" not in lines[0]


def test_a_resumed_run_keeps_its_activations_and_a_run_without_gets_none(tmp_path: Path) -> None:
    images, labels = images_and_labels()
    loader = DataLoader(TensorDataset(images, labels), 8)

    def go_on(name: str, done: int, *, activations: bool) -> None:
        model = Net()
        optimizer = torch.optim.SGD(model.parameters(), 0.01)
        recorder = Recorder(
            tmp_path / name, model, optimizer, every=1, resume=True, iteration=done, activations=activations
        )
        train_once(model, optimizer, images, labels)
        with recorder.validation(loader), torch.no_grad():
            for some, _ in loader:
                model.eval()(some)
        recorder.close()

    for done, activations in enumerate((True, True, False)):
        go_on("with", done, activations=activations)
    reader = RunReader(tmp_path / "with.dtui")
    zeros = reader.read_column("activation_zeros", slice(None), slice(None))
    assert np.isfinite(zeros).all(axis=0).tolist() == [True, True, False]
    assert reader.structure.activations[1] == ActivationPlace("norm1", "relu")  # no graph is traced after a resume
    reader.close()
    go_on("without", 0, activations=False)
    with pytest.warns(RecorderWarning, match="activations: the run was begun without them, and goes on without"):
        go_on("without", 1, activations=True)


def test_parts_of_processes_are_the_whole() -> None:
    generator = np.random.default_rng(5)
    filters, images, kept = 7, 30, 16
    values = generator.normal(size=(images, filters)).astype(np.float32)

    def part(of: Any) -> ActivationPart:
        order = np.argsort(-of, axis=0, kind="stable")[:kept]
        peaks = np.full((kept, filters), -np.inf, np.float32)
        places = np.full((kept, filters), -1)
        peaks[: len(order)], places[: len(order)] = np.take_along_axis(of, order, axis=0), order
        return ActivationPart((of <= 0).sum(0), of.sum(0, dtype=np.float64), np.full(filters, len(of)), peaks, places)

    rows = generator.permutation(images)
    whole = part(values).columns(rows)
    merged = merge_parts([part(values[:9]), part(values[9:])], [0, 9]).columns(rows)
    for name, wanted in whole.items():
        np.testing.assert_array_equal(merged[name], wanted)
    untracked = np.where(np.arange(images) < 25, -1, rows)  # fewer than nine are left
    found = part(values).columns(untracked)["most_exciting"].reshape(filters, 9)
    assert all(set(one[one != MISSING]) <= set(rows[25:]) for one in found)
    assert (found == MISSING).any()


class Tokens(nn.Module):
    """Attention, a recurrent layer of two layers in both directions, and a cell that is called for each token."""

    def __init__(self, *, batch_first: bool) -> None:
        super().__init__()
        torch.manual_seed(6)
        self.batch_first = batch_first
        self.attention = nn.MultiheadAttention(8, 2, batch_first=batch_first)
        self.lstm = nn.LSTM(8, 3, num_layers=2, bidirectional=True, batch_first=batch_first)
        self.cell, self.head = nn.RNNCell(6, 4, nonlinearity="relu"), nn.Linear(4, 3)

    def forward(self, images: Tensor) -> Tensor:
        return self.steps(images)["head"][:, 0]

    def steps(self, images: Tensor) -> ReadOut:
        """What the units give on, with the images first."""
        tokens = images.flatten(1).unflatten(1, (8, 8))
        tokens = tokens if self.batch_first else tokens.transpose(0, 1)
        attended, _ = self.attention(tokens, tokens, tokens, need_weights=False)
        recurrent, _ = self.lstm(attended)
        attended, recurrent = (part if self.batch_first else part.transpose(0, 1) for part in (attended, recurrent))
        states = [self.cell(recurrent[:, 0])]
        for token in range(1, 8):
            states.append(self.cell(recurrent[:, token], states[-1]))
        seen = {"attention.out_proj": attended, "cell.weight_ih": torch.stack(states, 1)}
        seen["lstm.weight_ih_l1"] = recurrent[..., :3].repeat(1, 1, 4)  # the four gates of a unit
        seen["lstm.weight_hh_l1_reverse"] = recurrent[..., 3:].repeat(1, 1, 4)
        return {**seen, "head": self.head(states[-1])[:, None]}


@pytest.mark.parametrize("batch_first", [True, False])
def test_attention_and_recurrent_layers(record: Make, batch_first: bool) -> None:
    images, labels = images_and_labels()
    model = Tokens(batch_first=batch_first)
    optimizer = torch.optim.SGD(model.parameters(), 0.01)
    recorder = record(model, optimizer, every=1, activations=True)
    with pytest.warns(RecorderWarning) as told:
        train_once(model, optimizer, images, labels)
    assert [str(one.message) for one in told if "activations" in str(one.message)] == [
        "dtui: activations: some layers have none: attention.in_proj_weight (torch computes queries, keys and values "
        "in one function); lstm.weight_ih_l0, lstm.weight_hh_l0, lstm.weight_ih_l0_reverse and 1 more (torch returns "
        "the outputs of its last layer alone)"
    ]
    model.eval()
    loader = DataLoader(TensorDataset(images, labels), 5)
    with recorder.validation(loader), torch.no_grad():
        for some, _ in loader:
            model(some)
        seen = model.steps(images)
    recorder.close()
    store, columns = recorder.store, recorder.store.validations[0].columns
    assert store.images is not None
    nine = columns["most_exciting"].reshape(-1, 9)
    layers = store.structure.layers
    places = {layer.name: place for layer, place in zip(layers, store.structure.activations, strict=True)}
    for layer in layers:
        rows, zeros = layer.filter_rows, columns["activation_zeros"][layer.filter_rows]
        if places[layer.name].lacking:
            assert np.isnan(zeros).all()
            continue
        name = layer.name if layer.name in seen else {"lstm.weight_hh_l1": "lstm.weight_ih_l1"}.get(layer.name, "")
        if not name:
            continue
        values = seen[name].double()
        np.testing.assert_allclose(zeros, (values <= 0).double().mean((0, 1)).numpy(), atol=1 / 2048)
        np.testing.assert_allclose(columns["activation_mean"][rows], values.mean((0, 1)).numpy(), rtol=1e-3, atol=1e-3)
        best = values.amax(1).argmax(0).tolist()
        is_some = (values.amax((0, 1)) > 0).tolist()
        found = [int(store.images.ids[one]) if one != MISSING else -1 for one in nine[rows][:, 0].tolist()]
        assert [at for at, there in zip(found, is_some, strict=True) if there] == [
            at for at, there in zip(best, is_some, strict=True) if there
        ]
    assert places["attention.out_proj"] == ActivationPlace("attention")
    assert places["cell.weight_ih"] == ActivationPlace("cell", "relu")
    assert places["attention.in_proj_weight"].lacking.startswith("torch computes queries")


def test_a_share_is_rounded_down_and_is_one_for_a_silent_filter_alone() -> None:
    part = ActivationPart.of_none(4, 1)
    part.zeros[:], part.totals[:] = [9_999, 10_000, 1, 0], [10_000, 10_000, 3, 0]
    shares = part.columns(np.arange(1))[ZEROS]
    assert shares[:3].tolist() == [4095 / 4096, 1.0, 1365 / 4096]
    assert np.isnan(shares[3])


def test_an_image_that_comes_again_stands_once_among_the_most_exciting() -> None:
    part = ActivationPart.of_none(1, 4)
    part.peaks[:, 0], part.images[:, 0] = [4.0, 3.0, 2.0, 1.0], [0, 2, 1, 3]
    rows = np.array([7, 5, 7, -1])  # the first and the third are one image, the last is not tracked
    assert part.columns(rows)[MOST_EXCITING].tolist() == [7, 5, *[MISSING] * 7]
