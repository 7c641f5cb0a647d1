"""Looks at gradients before the update: where NaN or Inf began, of real trainings, and what is no alarm."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from weakref import WeakSet

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import dtui
from dtui.model import FILTER_STATISTICS, LAYER_STATISTICS, PARAMETER_STATISTICS, SOURCES, Cause
from dtui.model.findings.nonfinite import Began, BrokenGradients, Origin
from dtui.query import open_run
from dtui.query.incidents.origin import origins
from dtui.record.measure.measurer import Measurer
from dtui.record.measure.statistics import Deriver
from dtui.record.network.layers import describe, find_layers, place
from dtui.record.network.other_parameters import try_parameters
from dtui.record.training import look_cost
from dtui.record.training.look_device import DeviceLook, first_broken
from dtui.record.training.seen import BROKEN, FINITE, UNKNOWN, Of, Seen, joined_seen
from dtui.record.training.skipped_updates import Skips
from dtui.record.writing.warn import RecorderWarning

BROKE = 7


class Root(nn.Module):
    """Adds the square root of nothing: finite in the forward pass, and 0 · ∞ in the backward pass."""

    at = -1

    def forward(self, x: Tensor) -> Tensor:
        return x + torch.sqrt(0 * x) if self.at == 0 else x


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3)
        self.conv2 = nn.Conv2d(3, 4, 3)
        self.root = Root()
        self.conv3 = nn.Conv2d(4, 4, 3)
        self.fc = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.leaky_relu(self.bn1(self.conv1(x)))
        x = self.root(self.conv2(x))
        return self.fc(self.conv3(x).mean((2, 3)))


def train(
    path: Path,
    *,
    steps: int = 20,
    every: int = 10,
    spoil: Callable[[Net, int], None] | None = None,
    after: Callable[[Net, int], None] | None = None,
    change_loss: Callable[[Tensor, int], Tensor] | None = None,
    make: Callable[[Any], torch.optim.Optimizer] = lambda own: torch.optim.SGD(own, 0.01),
    log: str = "",
    micro: int = 1,
    set_to_none: bool = True,
    clip: float = 0.0,
    **options: Any,
) -> Path:
    torch.manual_seed(3)
    net = Net()
    optimizer = make(net.parameters())
    with dtui.Recorder(path, net, optimizer, every=every, **options) as recorder:
        for at in range(steps):
            net.root.at = at - BROKE
            if spoil is not None:
                net.root.at = -1
                spoil(net, at)
            optimizer.zero_grad(set_to_none=set_to_none)
            for _ in range(micro):
                loss = functional.cross_entropy(net(torch.randn(4, 1, 8, 8)), torch.randint(0, 3, (4,)))
                loss = loss if change_loss is None else change_loss(loss, at)
                (loss / micro).backward()
            if after is not None:
                after(net, at)
            if log == "before":
                recorder.log(loss=loss)
            if clip:
                nn.utils.clip_grad_norm_(net.parameters(), clip)
            optimizer.step()
            if log == "after":
                recorder.log(loss=loss)
    return recorder.path


def seen(path: Path) -> list[BrokenGradients]:
    with open_run(path) as query:
        return query._data.reader.broken_gradients()[0]


def origin(path: Path) -> Origin:
    with open_run(path) as query:
        (found,) = origins(query._data)
    return found


@pytest.fixture
def looked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks at every update, whatever it costs: these updates take no time."""
    monkeypatch.setattr("dtui.record.training.gradient_look.MOST_SHARE", float("inf"))


@pytest.fixture
def not_looked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dtui.record.training.gradient_look.MOST_SHARE", -1.0)
    monkeypatch.setattr(look_cost, "PASSED", 0)
    monkeypatch.setattr(look_cost, "MEASURED", 2)


def assert_root(path: Path) -> None:
    found = origin(path)
    assert (found.began, found.layers, found.beside, found.iteration) == (
        Began.BACKWARD,
        ("conv2",),
        ("conv3",),
        BROKE,
    )
    assert (found.count, found.known) == (3, 5)


@pytest.mark.usefixtures("looked")
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"log": "before"},
        {"log": "after"},
        {"micro": 3},
        {"set_to_none": False},
        {"clip": 1.0},
        {"clip": 1.0, "micro": 2, "log": "before"},
        {"make": lambda own: torch.optim.AdamW(own, 1e-3, foreach=True)},
        {"make": lambda own: torch.optim.AdamW(own, 1e-3, fused=True)},
        {"graph": False},
    ],
    ids=lambda options: " ".join(options) or "plain",
)
def test_a_layer_whose_backward_pass_gives_nan_is_named(tmp_path: Path, options: dict[str, Any]) -> None:
    path = train(tmp_path / "run", **options)
    assert_root(path)
    assert len(seen(path)) == 1


@pytest.mark.usefixtures("looked")
@pytest.mark.parametrize("options", [{}, {"clip": 1.0}, {"log": "before", "micro": 2}, {"every": 3}], ids=str)
def test_the_counters_that_a_gpu_keeps_name_it_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any]
) -> None:
    monkeypatch.setattr("dtui.record.training.gradient_look._is_one_gpu", lambda devices: True)
    taken: list[bool] = []
    take = DeviceLook.take
    monkeypatch.setattr(DeviceLook, "take", lambda look: (taken.append(True), take(look))[1])
    assert_root(train(tmp_path / "run", **options))
    assert taken


@pytest.mark.usefixtures("looked")
def test_the_counters_of_a_gpu_do_not_count_updates_that_a_scaler_leaves_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dtui.record.training.gradient_look._is_one_gpu", lambda devices: True)
    for fused in (False, True):
        assert seen(scaled(tmp_path / str(fused), fused=fused, clip=True)) == []


@pytest.mark.usefixtures("not_looked")
@pytest.mark.parametrize(
    "options", [{"clip": 1.0}, {"keep_around": 8}, {"every": 1}], ids=["clipped", "watched", "recorded"]
)
def test_it_is_named_where_gradients_are_read_anyway(tmp_path: Path, options: dict[str, Any]) -> None:
    path = train(tmp_path / "run", **options)
    found = origin(path)
    assert (found.began, found.layers, found.beside, found.iteration) == (
        Began.BACKWARD,
        ("conv2",),
        ("conv3",),
        BROKE,
    )


@pytest.mark.usefixtures("not_looked")
def test_where_no_update_is_looked_at_a_lost_loss_shows_the_weights_one_update_later(tmp_path: Path) -> None:
    path = train(tmp_path / "run", log="before")
    found = origin(path)
    assert (found.began, found.layers, found.iteration) == (Began.WEIGHTS, ("conv2",), BROKE + 1)
    with open_run(path) as query:
        looks = query.info().looks
    assert looks is not None
    assert (looks.layers, looks.share > 0) == (0, True)


@pytest.mark.usefixtures("not_looked")
def test_where_nobody_looked_in_time_no_place_is_said(tmp_path: Path) -> None:
    path = train(tmp_path / "run")
    assert seen(path) == []
    with open_run(path) as query:
        assert [one.origin for one in query.incidents()] == [None]


@pytest.mark.usefixtures("looked")
def test_the_loss_is_blamed_only_where_it_is_known_to_be_finite(tmp_path: Path) -> None:
    def bad_slope(loss: Tensor, at: int) -> Tensor:
        return loss + torch.sqrt(0 * loss) if at == BROKE else loss

    for log, began in (("before", Began.LOSS), ("after", Began.UNKNOWN), ("", Began.UNKNOWN)):
        path = train(tmp_path / f"run{log}", spoil=lambda net, at: None, change_loss=bad_slope, log=log)
        found = origin(path)
        assert (found.began, found.layers, found.iteration, found.count) == (began, (), BROKE, 5)


@pytest.mark.usefixtures("looked")
def test_running_statistics_place_what_began_in_the_forward_pass(tmp_path: Path) -> None:
    class Late(Net):
        def __init__(self) -> None:
            super().__init__()
            self.bn3 = nn.BatchNorm2d(4)

        def forward(self, x: Tensor) -> Tensor:
            x = self.conv2(functional.leaky_relu(self.bn1(self.conv1(x))))
            x = self.bn3(x / 0 if self.root.at == 0 else x)
            return self.fc(self.conv3(x).mean((2, 3)))

    torch.manual_seed(0)
    net = Late()
    optimizer = torch.optim.SGD(net.parameters(), 0.01)
    with dtui.Recorder(tmp_path / "run", net, optimizer, every=10) as recorder:
        for at in range(12):
            net.root.at = at - BROKE
            optimizer.zero_grad()
            functional.cross_entropy(net(torch.randn(4, 1, 8, 8)), torch.randint(0, 3, (4,))).backward()
            optimizer.step()
    found = origin(recorder.path)
    assert (found.began, found.layers, found.beside) == (Began.FORWARD, ("bn3",), ("bn1",))
    with open_run(recorder.path) as query:
        (incident,) = query.incidents()
    assert incident.layers == ("conv2",)  # of which bn3 normalises the outputs
    assert "at or before bn3" in incident.sentence


@pytest.mark.usefixtures("looked")
def test_one_layer_alone_and_weights_that_were_changed_from_outside(tmp_path: Path) -> None:
    def spoil_gradient(net: Net, at: int) -> None:
        if at == BROKE:
            net.conv1.bias.grad[0] = float("inf")

    found = origin(train(tmp_path / "alone", spoil=lambda net, at: None, after=spoil_gradient))
    assert (found.began, found.layers, found.count, found.iteration) == (Began.ALONE, ("conv1",), 1, BROKE)

    def spoil_weight(net: Net, at: int) -> None:
        if at == BROKE:
            with torch.no_grad():
                net.conv3.weight[0, 0, 0, 0] = float("nan")

    found = origin(train(tmp_path / "weight", spoil=spoil_weight))
    assert (found.began, found.layers, found.count, found.iteration) == (Began.WEIGHTS, ("conv3",), 1, BROKE)


@pytest.mark.usefixtures("looked")
def test_a_gradient_that_only_its_own_layer_has_is_found_by_its_weights(tmp_path: Path) -> None:
    def spoil(net: Net, at: int) -> None:
        if at == BROKE:
            net.conv3.weight.grad[0, 0, 0, 0] = float("nan")

    found = origin(train(tmp_path / "run", spoil=lambda net, at: None, after=spoil))
    assert (found.began, found.layers, found.iteration) == (Began.WEIGHTS, ("conv3",), BROKE + 1)


def scaled(path: Path, *, fused: bool, clip: bool) -> Path:
    torch.manual_seed(3)
    net = Net()
    optimizer = torch.optim.SGD(net.parameters(), 0.01, fused=fused)
    scaler = torch.amp.GradScaler("cpu", init_scale=4.0)
    with dtui.Recorder(path, net, optimizer, every=5, keep_around=6) as recorder:
        for at in range(14):
            net.root.at = at - BROKE
            optimizer.zero_grad()
            loss = functional.cross_entropy(net(torch.randn(4, 1, 8, 8)), torch.randint(0, 3, (4,)))
            scaler.scale(loss).backward()
            if clip:
                scaler.unscale_(optimizer)
                nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            scaler.step(optimizer)
            scaler.update()
        assert recorder.iteration == 12
    return recorder.path


@pytest.mark.usefixtures("looked")
@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("clip", [False, True])
def test_updates_that_a_scaler_leaves_out_are_no_alarm(tmp_path: Path, fused: bool, clip: bool) -> None:
    path = scaled(tmp_path / "run", fused=fused, clip=clip)
    assert seen(path) == []
    with open_run(path) as query:
        assert not any(one.cause is Cause.NONFINITE for one in query.incidents())


@pytest.mark.usefixtures("looked")
def test_updates_that_the_training_states_itself_are_looked_at(tmp_path: Path) -> None:
    torch.manual_seed(3)
    net = Net()
    with dtui.Recorder(tmp_path / "run", net, every=10) as recorder:
        for at in range(12):
            net.root.at = at - BROKE
            net.zero_grad()
            functional.cross_entropy(net(torch.randn(4, 1, 8, 8)), torch.randint(0, 3, (4,))).backward()
            with torch.no_grad():
                for own in net.parameters():
                    own -= 0.01 * own.grad
            recorder.step()
    (found,) = seen(recorder.path)
    assert (found.iteration, found.broken, found.weights) == (BROKE, ("conv1", "conv2", "bn1"), ())


@pytest.mark.usefixtures("looked")
@pytest.mark.parametrize("clip", [False, True])
def test_gradients_that_an_optimizer_computes_within_its_step_are_looked_at(tmp_path: Path, clip: bool) -> None:
    torch.manual_seed(3)
    net = Net()
    optimizer = torch.optim.SGD(net.parameters(), 0.01)

    def closure() -> Tensor:  # as Lightning has it
        optimizer.zero_grad()
        loss = functional.cross_entropy(net(torch.randn(4, 1, 8, 8)), torch.randint(0, 3, (4,)))
        loss.backward()
        if clip:
            nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        return loss

    with dtui.Recorder(tmp_path / "run", net, optimizer, every=10) as recorder:
        for at in range(12):
            net.root.at = at - BROKE
            optimizer.step(closure)
    assert_root(recorder.path)


@pytest.mark.usefixtures("looked")
def test_the_incident_and_the_watch_name_the_layer(tmp_path: Path) -> None:
    path = train(tmp_path / "run", steps=40, every=2)
    with open_run(path) as query:
        (incident,) = [one for one in query.incidents() if one.cause is Cause.NONFINITE]
        info = query.info()
    assert incident.layers == ("conv2",)
    where = "it began in the backward pass at conv2: the gradient of conv3 was finite, that of conv2 and 2 more was not"
    assert incident.sentence == f"NaN or Inf from update 7 on; {where}"
    assert info.findings[0] == f"NaN or Inf at update 7; {where}"
    from dtui.query.watching.nonfinite import NonfiniteSearch
    from dtui.store import RunReader

    reader = RunReader(path)
    try:
        search = NonfiniteSearch(reader)
        assert search.look()[0].sentence == f"NaN or Inf: {where}"
        assert search.look() == []
    finally:
        reader.close()


def test_clipping_is_torchs_own_again_once_no_run_is_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from torch.nn.utils import clip_grad

    monkeypatch.setattr("dtui.record.training.gradient_look._looks", WeakSet())  # without recorders of other tests
    train(tmp_path / "run", steps=2)
    assert not hasattr(clip_grad._clip_grads_with_norm_, "dtui_original")


# --- what the device counts, and what processes put together


@pytest.mark.parametrize("seed", range(8))
def test_ages_on_a_device_give_the_first_update_that_was_broken(seed: int) -> None:
    rng = np.random.default_rng(seed)
    nodes, entries, updates, first = 5, 9, 12, 100
    rows = rng.choice([int(Of.GRADIENT), int(Of.GRADIENT), int(Of.STATISTIC)], entries)
    places = rng.integers(0, nodes, entries)
    values = rng.normal(size=(updates, entries + 1)).astype(np.float32)
    values[rng.random(values.shape) < 0.03] = rng.choice([np.nan, np.inf])
    poison, age = torch.zeros(entries + 1), torch.zeros(entries + 1)
    for row in torch.from_numpy(values):  # as DeviceLook.keep
        poison += row - row
        age += poison.isnan()
    found = first_broken(age.numpy(), rows, places, np.ones(entries, bool), nodes, first + updates - 1, has_loss=True)
    bad = ~np.isfinite(values)
    at = next((k for k in range(updates) if bad[k, :-1][rows == Of.GRADIENT].any()), None)
    if at is None:
        assert found == []
        return
    codes = np.zeros((len(Of), nodes), np.int64)
    for entry in range(entries):
        code = BROKEN if bad[: at + 1, entry].any() else FINITE
        codes[rows[entry], places[entry]] = max(code, codes[rows[entry], places[entry]])
    assert found[0].iteration == first + at
    assert np.array_equal(found[0].codes, codes)
    assert found[0].loss == (BROKEN if bad[: at + 1, -1].any() else FINITE)


def test_parts_of_processes_are_put_together_and_nothing_unseen_is_called_finite() -> None:
    def made(iteration: int, *codes: int) -> np.ndarray:
        table = np.zeros((len(Of), 3), np.int64)
        table[Of.GRADIENT] = codes
        return Seen(iteration, table).as_array()

    def gradient(values: np.ndarray | None) -> tuple[int, list[int]] | None:
        one = None if values is None else Seen.from_array(values)
        return None if one is None else (one.iteration, one.codes[Of.GRADIENT].tolist())

    same = joined_seen(made(4, FINITE, BROKEN, FINITE), made(4, FINITE, FINITE, UNKNOWN))
    assert gradient(same) == (4, [FINITE, BROKEN, UNKNOWN])
    assert gradient(joined_seen(made(4, FINITE, BROKEN, FINITE), None)) == (4, [UNKNOWN, BROKEN, UNKNOWN])
    assert gradient(joined_seen(made(9, BROKEN, BROKEN, BROKEN), made(4, FINITE, BROKEN, FINITE))) == (
        4,
        [UNKNOWN, BROKEN, UNKNOWN],
    )
    assert joined_seen(None, None) is None


@pytest.mark.usefixtures("looked")
def test_layers_that_are_thawed_and_those_that_are_replaced_are_looked_at(tmp_path: Path) -> None:
    def thaw(net: Net, at: int) -> None:
        net.root.at = at - BROKE - 4
        if at in (0, 4):
            for own in (*net.conv1.parameters(), *net.bn1.parameters(), *net.conv2.parameters()):
                own.requires_grad_(at == 4)
        if at == 2:
            net.conv3.weight = nn.Parameter(net.conv3.weight.detach().clone())
            net.fc = nn.Linear(4, 5)  # of another shape: it is left out, and the others are still looked at
            for group in optimizers[0].param_groups:
                group["params"] = list(net.parameters())

    optimizers: list[torch.optim.Optimizer] = []

    def make(own: Any) -> torch.optim.Optimizer:
        optimizers.append(torch.optim.SGD(own, 0.01))
        return optimizers[0]

    with pytest.warns(RecorderWarning) as told:
        path = train(tmp_path / "run", spoil=thaw, make=make, every=2)
    assert [str(one.message) for one in told] == ["dtui: layer fc (3, 4): now (5, 4); it is left out from here on"]
    found = origin(path)
    assert (found.began, found.layers, found.beside, found.iteration) == (
        Began.BACKWARD,
        ("conv2",),
        ("conv3",),
        BROKE + 4,
    )


@pytest.mark.parametrize("fused", [False, True])
def test_a_record_of_an_update_that_a_gpu_left_out_holds_no_alarm(fused: bool) -> None:
    net = Net()
    probes = place(find_layers(net))
    functional.cross_entropy(net(torch.randn(4, 1, 8, 8)), torch.randint(0, 3, (4,))).backward()
    for own in net.parameters():
        own.grad.fill_(float("nan"))
    others, parameters = try_parameters(net, probes, describe(net, probes).layers, ())
    structure = replace(describe(net, probes), parameters=parameters)
    raw = Measurer(net, probes, fused, (), others).measure()(3, {})
    gradients, count = SOURCES.index("gradients"), LAYER_STATISTICS.index("nonfinite")
    bad = Deriver(structure, fused).derive(raw.with_skips(Skips(1, False)))
    assert (bad.layers[gradients, count] > 0).all()
    assert bad.parameters is not None
    assert bad.parameters[PARAMETER_STATISTICS.index("nonfinite")].any()
    left_out = Deriver(structure, fused).derive(raw.with_skips(Skips(1, True)))
    assert np.isnan(left_out.layers[gradients, count]).all()
    assert not np.nan_to_num(left_out.filters[FILTER_STATISTICS.index("nonfinite")]).any()
    assert left_out.parameters is not None
    assert not left_out.parameters[PARAMETER_STATISTICS.index("nonfinite")].any()
