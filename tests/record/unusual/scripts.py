"""Trainings of unusual shapes: `python -m tests.record.unusual.scripts NAME [RUN]` trains one, with RUN recorded.

Each prints `BITS` with a checksum of its losses and of the weights at its end.
"""

from __future__ import annotations

import copy
import gc
import hashlib
import os
import socket
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

import dtui

STEPS, EVERY = 12, 2


class Silent:
    """Stands for a recorder where nothing is recorded."""

    iteration = -1

    def log(self, **values: Any) -> None:
        pass

    def judge(self, *values: Any, **options: Any) -> None:
        pass

    def validation(self, *values: Any, **options: Any) -> Any:
        return nullcontext()

    def close(self) -> None:
        pass

    def __enter__(self) -> Silent:
        return self

    def __exit__(self, *_: object) -> None:
        pass


def net(width: int = 8) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, width, 3, padding=1),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        nn.Conv2d(width, width, 3, stride=2),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(width * 9, 3),
    )


def batches(count: int = STEPS, size: int = 6) -> Iterator[tuple[Tensor, Tensor]]:
    generator = torch.Generator().manual_seed(7)
    for _ in range(count):
        yield torch.randn(size, 1, 8, 8, generator=generator), torch.randint(0, 3, (size,), generator=generator)


class Training:
    """One training: what it prints, and the recorder where there is one."""

    def __init__(self, run: str | None) -> None:
        self.run = run
        self.bits = hashlib.sha256()

    def recorder(self, model: nn.Module, optimizer: Any = None, *, ending: str = "", **options: Any) -> Any:
        if self.run is None:
            return Silent()
        return dtui.Recorder(self.run + ending, model, optimizer, **{"every": EVERY, "classes": list("abc"), **options})

    def lost(self, loss: Tensor) -> Tensor:
        self.bits.update(loss.detach().float().numpy().tobytes())
        return loss

    def done(self, *models: nn.Module) -> None:
        for model in models:
            for one in model.parameters():
                self.bits.update(one.detach().float().contiguous().numpy().tobytes())
        print("BITS", self.bits.hexdigest(), flush=True)


def plainly(training: Training, model: nn.Module, called: Any = None, **options: Any) -> None:
    """Train, and evaluate once in the middle and once at the end."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    with training.recorder(model, optimizer, **options) as recorder:
        loop(training, recorder, model if called is None else called, optimizer)
    training.done(model)


def loop(
    training: Training, recorder: Any, model: Any, optimizer: Any, step: Any = None, evaluated: Any = None
) -> None:
    held = list(batches(4))
    for place, (x, y) in enumerate(batches()):
        optimizer.zero_grad()
        loss = training.lost(functional.cross_entropy(model(x), y))
        loss.backward()
        recorder.log(loss=loss)
        (step or optimizer.step)()
        if place % 6 == 5:
            judged = evaluated or model
            judged.eval()
            with recorder.validation(held, model=judged), torch.no_grad():
                for x, _y in held:
                    judged(x)
            judged.train()


# --- compilers


def compiled(training: Training, **options: Any) -> None:
    model = net()
    plainly(training, model, torch.compile(model, **options))


def compiled_fullgraph(training: Training) -> None:
    compiled(training, fullgraph=True)


def compiled_dynamic(training: Training) -> None:
    compiled(training, dynamic=True)


def compiled_reduced(training: Training) -> None:
    compiled(training, mode="reduce-overhead")


def compiled_activations(training: Training) -> None:
    model = net()
    plainly(training, model, torch.compile(model, fullgraph=True), activations=True, keep_around=4)


def compiled_in_place(training: Training) -> None:
    model = net()
    model.compile()
    plainly(training, model, keep_around=4)


class Own(nn.Module):
    """A network with a `forward` of its own, of which the compiler takes every frame."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm, self.head = nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), nn.Linear(8 * 36, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(torch.relu(self.norm(self.conv(x))).flatten(1))


def compiled_own_fullgraph(training: Training) -> None:
    model = Own()
    plainly(training, model, torch.compile(model, fullgraph=True, dynamic=True), keep_around=4, batches=True)


def compiled_own_in_place(training: Training) -> None:
    model = Own()
    model.compile(fullgraph=True)
    plainly(training, model, keep_around=4, activations=True, norms="channels")


def compiled_part(training: Training) -> None:
    """A block inside is compiled in one graph, as trainers of language models do."""
    model = nn.Sequential(nn.Conv2d(1, 1, 3, padding=1), Own())
    model[1].compile(fullgraph=True)
    plainly(training, model, keep_around=4, activations=True)


def compiled_first(training: Training) -> None:
    model = torch.compile(net(), fullgraph=True)
    plainly(training, model, keep_around=4)


def compiled_autograd(training: Training) -> None:
    torch._dynamo.config.compiled_autograd = True
    model = net()
    called = torch.compile(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)

    @torch.compile
    def train(x: Tensor, y: Tensor) -> Tensor:
        loss = functional.cross_entropy(called(x), y)
        loss.backward()
        return loss

    with training.recorder(model, optimizer, keep_around=4, batches=True) as recorder:
        for x, y in batches():
            optimizer.zero_grad()
            loss = training.lost(train(x, y))
            recorder.log(loss=loss)
            optimizer.step()
    training.done(model)


def compiled_step(training: Training) -> None:
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    step = torch.compile(optimizer.step, fullgraph=False)
    with training.recorder(model, optimizer, keep_around=4) as recorder:
        loop(training, recorder, model, optimizer, step)
    training.done(model)


def compiled_step_adam(training: Training) -> None:
    model = net()
    optimizer = torch.optim.AdamW(model.parameters(), lr=torch.tensor(0.01))

    @torch.compile(fullgraph=False)
    def step() -> None:
        optimizer.step()

    with training.recorder(model, optimizer) as recorder:
        loop(training, recorder, model, optimizer, step)
    training.done(model)


def compiled_train_step(training: Training) -> None:
    """Forward, backward and update in one compiled function."""
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)

    @torch.compile
    def train(x: Tensor, y: Tensor) -> Tensor:
        optimizer.zero_grad()
        loss = functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    with training.recorder(model, optimizer) as recorder:
        for x, y in batches():
            recorder.log(loss=training.lost(train(x, y)))
    training.done(model)


# --- functional, exported, wrapped


def functional_ensemble(training: Training) -> None:
    from torch.func import functional_call, grad, stack_module_state, vmap

    models = [nn.Sequential(nn.Flatten(), nn.Linear(64, 8), nn.ReLU(), nn.Linear(8, 3)) for _ in range(3)]
    stacked, buffers = stack_module_state(models)
    holder = nn.ParameterDict({name.replace(".", "_"): nn.Parameter(one) for name, one in stacked.items()})
    parameters = {name: holder[name.replace(".", "_")] for name in stacked}
    skeleton = copy.deepcopy(models[0]).to("meta")
    optimizer = torch.optim.SGD(holder.parameters(), lr=0.05)

    def lost(own: Any, held: Any, x: Tensor, y: Tensor) -> Tensor:
        return functional.cross_entropy(functional_call(skeleton, (own, held), (x,)), y)

    with training.recorder(holder, optimizer) as recorder:
        for x, y in batches():
            gradients = vmap(grad(lost), in_dims=(0, 0, None, None))(parameters, buffers, x, y)
            for name, one in parameters.items():
                one.grad = gradients[name].detach()
            loss = vmap(lost, in_dims=(0, 0, None, None))(parameters, buffers, x, y).sum()
            recorder.log(loss=training.lost(loss))
            optimizer.step()
    training.done(holder)


def functional_of_model(training: Training) -> None:
    """Gradients by torch.func of the model that is recorded, and its updates by an optimizer."""
    from torch.func import functional_call, grad_and_value

    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 8), nn.ReLU(), nn.Linear(8, 3))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)

    def lost(own: Any, x: Tensor, y: Tensor) -> Tensor:
        return functional.cross_entropy(functional_call(model, own, (x,)), y)

    with training.recorder(model, optimizer, keep_around=4, activations=True) as recorder:
        for x, y in batches():
            gradients, loss = grad_and_value(lost)(dict(model.named_parameters()), x, y)
            for name, one in model.named_parameters():
                one.grad = gradients[name].detach()
            recorder.log(loss=training.lost(loss))
            optimizer.step()
        held = list(batches(3))
        model.eval()
        with recorder.validation(held), torch.no_grad():
            for x, _y in held:
                model(x)
    training.done(model)


def functional_per_sample(training: Training) -> None:
    from torch.func import functional_call, grad, vmap

    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 8), nn.ReLU(), nn.Linear(8, 3))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)

    def lost(own: Any, x: Tensor, y: Tensor) -> Tensor:
        return functional.cross_entropy(functional_call(model, own, (x[None],)), y[None])

    with training.recorder(model, optimizer, batches=True) as recorder:
        for x, y in batches():
            own = {name: one.detach() for name, one in model.named_parameters()}
            gradients = vmap(grad(lost), in_dims=(None, 0, 0))(own, x, y)
            for name, one in model.named_parameters():
                one.grad = gradients[name].mean(0)
            recorder.log(loss=training.lost(lost(own, x[0], y[0])))
            optimizer.step()
    training.done(model)


def exported(training: Training) -> None:
    """A module of torch.export is trained."""
    example = (next(batches())[0],)
    exported = torch.export.export(net().train(), example, strict=False)
    model = exported.module()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    with training.recorder(model, optimizer) as recorder:
        for x, y in batches():
            optimizer.zero_grad()
            loss = training.lost(functional.cross_entropy(model(x), y))
            loss.backward()
            recorder.log(loss=loss)
            optimizer.step()
    training.done(model)


def exported_meanwhile(training: Training) -> None:
    """A model is exported in the middle of its training, both ways."""
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    with training.recorder(model, optimizer, keep_around=4, batches=True, activations=True) as recorder:
        for place, (x, y) in enumerate(batches()):
            optimizer.zero_grad()
            loss = training.lost(functional.cross_entropy(model(x), y))
            loss.backward()
            recorder.log(loss=loss)
            optimizer.step()
            if place in (0, 5):
                for strict in (False, True):
                    copy.deepcopy(torch.export.export(model.eval(), (x,), strict=strict).module())
                torch.fx.symbolic_trace(model)
                model.train()
    training.done(model)


def data_parallel(training: Training) -> None:
    model = nn.DataParallel(net())
    plainly(training, model, activations=True, keep_around=4, batches=True)


# --- evaluations


def evaluating(training: Training, within: Callable[[], Any], **options: Any) -> None:
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    held = list(batches(3))
    with training.recorder(model, optimizer, activations=True, **options) as recorder:
        for place, (x, y) in enumerate(batches()):
            optimizer.zero_grad()
            loss = training.lost(functional.cross_entropy(model(x), y))
            loss.backward()
            recorder.log(loss=loss)
            optimizer.step()
            if place % 4 == 3:
                model.eval()
                with recorder.validation(held), within():
                    right = sum((model(x).argmax(1) == y).sum() for x, y in held)
                training.lost(right.float())
                model.train()
    training.done(model)


def inference_mode(training: Training) -> None:
    evaluating(training, torch.inference_mode)


def inference_judge(training: Training) -> None:
    from dtui.record.judging import absolute_error

    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 8), nn.ReLU(), nn.Linear(8, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    with training.recorder(model, optimizer, classes=None) as recorder:
        for place, (x, y) in enumerate(batches()):
            optimizer.zero_grad()
            loss = training.lost(functional.mse_loss(model(x)[:, 0], y.float()))
            loss.backward()
            optimizer.step()
            if place % 4 == 3:
                with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
                    out = model(x)[:, 0]
                    recorder.judge(range(len(x)), absolute_error(out, y.float()), better="lower", threshold=0.5)
    training.done(model)


def autocast_bfloat16(training: Training) -> None:
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    held = list(batches(3))
    with training.recorder(model, optimizer, activations=True, top=5) as recorder:
        for place, (x, y) in enumerate(batches()):
            optimizer.zero_grad()
            with torch.autocast("cpu", torch.bfloat16):
                loss = training.lost(functional.cross_entropy(model(x), y))
            loss.backward()
            recorder.log(loss=loss)
            optimizer.step()
            if place % 4 == 3:
                model.eval()
                with torch.autocast("cpu", torch.bfloat16), torch.no_grad(), recorder.validation(held):
                    for x, _y in held:
                        assert model(x).dtype is torch.bfloat16
                model.train()
    training.done(model)


# --- gradients


def uneven_accumulation(training: Training) -> None:
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    with training.recorder(model, optimizer, every=1, batches=True) as recorder:
        for _ in range(2):
            loader = torch.utils.data.DataLoader(Numbers(22), batch_size=3)
            for place, (x, y) in enumerate(loader):
                loss = functional.cross_entropy(model(x), y) / 3
                loss.backward()
                recorder.log(loss=training.lost(loss))
                if place % 3 == 2 or place == len(loader) - 1:
                    optimizer.step()
                    optimizer.zero_grad()
    training.done(model)


class Numbers(torch.utils.data.Dataset):
    def __init__(self, count: int) -> None:
        self.count = count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, place: int) -> tuple[Tensor, int]:
        return torch.full((1, 8, 8), place / 10), place % 3


def cleared_before_step(training: Training) -> None:
    """Gradients are cleared before the first step, and between backward and a step that then does nothing."""
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    with training.recorder(model, optimizer, keep_around=4, batches=True) as recorder:
        for place, (x, y) in enumerate(batches(24)):
            loss = training.lost(functional.cross_entropy(model(x), y))
            loss.backward()
            recorder.log(loss=loss)
            if place % 3 == 0:
                optimizer.zero_grad()
            optimizer.step()
            optimizer.zero_grad()
    training.done(model)


def cleared_always(training: Training) -> None:
    """The fault of beginners: zero_grad between backward and step."""
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    with training.recorder(model, optimizer, every=1) as recorder:
        for x, y in batches(30):
            loss = training.lost(functional.cross_entropy(model(x), y))
            loss.backward()
            recorder.log(loss=loss)
            optimizer.zero_grad()
            optimizer.step()
    training.done(model)


def backward_in_thread(training: Training) -> None:
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    with training.recorder(model, optimizer, keep_around=4, batches=True) as recorder:
        for x, y in batches():
            optimizer.zero_grad()
            loss = training.lost(functional.cross_entropy(model(x), y))
            thread = threading.Thread(target=loss.backward)
            thread.start()
            thread.join()
            recorder.log(loss=loss)
            optimizer.step()
    training.done(model)


def step_in_threads(training: Training) -> None:
    """Each update is made by a thread of its own."""
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    recorder = training.recorder(model, optimizer, keep_around=4)
    for x, y in batches():
        optimizer.zero_grad()
        loss = training.lost(functional.cross_entropy(model(x), y))
        loss.backward()
        recorder.log(loss=loss)
        thread = threading.Thread(target=optimizer.step)
        thread.start()
        thread.join()
    training.done(model)
    recorder.close()


# --- recorders


def several_recorders(training: Training) -> None:
    """Two models are trained in turns, each with its recorder; two threads train two more at once."""
    models = [net() for _ in range(2)]
    optimizers = [torch.optim.SGD(one.parameters(), lr=0.05) for one in models]
    recorders = [
        training.recorder(one, optimizer, ending=f"-{place}", keep_around=4, batches=True)
        for place, (one, optimizer) in enumerate(zip(models, optimizers, strict=True))
    ]
    for x, y in batches():
        for model, optimizer, recorder in zip(models, optimizers, recorders, strict=True):
            optimizer.zero_grad()
            loss = training.lost(functional.cross_entropy(model(x), y))
            loss.backward()
            recorder.log(loss=loss)
            optimizer.step()
    for recorder in recorders:
        recorder.close()
    training.done(*models)


def training_threads(training: Training) -> None:
    models = [net() for _ in range(2)]

    def train(place: int) -> None:
        model = models[place]
        optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
        with training.recorder(model, optimizer, ending=f"-{place}", keep_around=4) as recorder:
            for x, y in batches(40):
                optimizer.zero_grad()
                loss = functional.cross_entropy(model(x), y)
                loss.backward()
                recorder.log(loss=loss)
                optimizer.step()

    threads = [threading.Thread(target=train, args=(place,)) for place in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    training.done(*models)


def recorder_in_function(training: Training) -> None:
    """Nobody keeps the recorder that a function makes."""
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)

    def begin() -> None:
        training.recorder(model, optimizer)

    begin()
    gc.collect()
    for x, y in batches():
        optimizer.zero_grad()
        loss = training.lost(functional.cross_entropy(model(x), y))
        loss.backward()
        optimizer.step()
    training.done(model)


def everything_in_function(training: Training) -> None:
    """Model, optimizer and recorder are gone when the function returns."""

    def train() -> None:
        model = net()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
        recorder = training.recorder(model, optimizer)
        for x, y in batches():
            optimizer.zero_grad()
            loss = training.lost(functional.cross_entropy(model(x), y))
            loss.backward()
            recorder.log(loss=loss)
            optimizer.step()
        training.done(model)

    train()
    gc.collect()


# --- ends of the process


def ended_at_once(training: Training) -> None:
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    recorder = training.recorder(model, optimizer)
    loop(training, recorder, model, optimizer)
    training.done(model)
    recorder.close()
    os._exit(3)


def ended_at_once_unclosed(training: Training) -> None:
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    recorder = training.recorder(model, optimizer)
    loop(training, recorder, model, optimizer)
    training.done(model)
    os._exit(3)


def exit_in_thread(training: Training) -> None:
    model = net()

    def train() -> None:
        plainly(training, model)
        sys.exit(4)

    thread = threading.Thread(target=train)
    thread.start()
    thread.join()
    sys.exit(5)


def exit_within_thread(training: Training) -> None:
    """The thread that trains ends by sys.exit in the midst of its recorder; the main thread goes on."""
    model = net()

    def train() -> None:
        optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
        with training.recorder(model, optimizer) as recorder:
            loop(training, recorder, model, optimizer)
            sys.exit(4)

    thread = threading.Thread(target=train)
    thread.start()
    thread.join()
    training.done(model)


# --- data loaders


def lookahead(training: Training) -> None:
    """An optimizer that torch does not know, around one that it knows."""

    class Lookahead(torch.optim.Optimizer):
        def __init__(self, optimizer: Any) -> None:
            self.optimizer, self.steps = optimizer, 0
            self.param_groups, self.state, self.defaults = optimizer.param_groups, optimizer.state, optimizer.defaults
            self.slow = [[one.detach().clone() for one in group["params"]] for group in self.param_groups]

        def zero_grad(self, set_to_none: bool = True) -> None:
            self.optimizer.zero_grad(set_to_none)

        def step(self, closure: Any = None) -> Any:
            loss = self.optimizer.step(closure)
            self.steps += 1
            if self.steps % 4 == 0:
                for group, slow in zip(self.param_groups, self.slow, strict=True):
                    for fast, one in zip(group["params"], slow, strict=True):
                        one.add_(fast.data - one, alpha=0.5)
                        fast.data.copy_(one)
            return loss

    model = net()
    optimizer = Lookahead(torch.optim.SGD(model.parameters(), lr=0.05))
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, 3)
    with training.recorder(model, optimizer, keep_around=4) as recorder:
        loop(training, recorder, model, optimizer, lambda: (optimizer.step(), schedule.step()))
    training.done(model)


def folds(training: Training) -> None:
    """A new model and optimizer a fold, and one recorder for all; the models are kept."""
    models = [net()]
    optimizer = torch.optim.SGD(models[0].parameters(), lr=0.05)
    recorder = training.recorder(models[0], optimizer)
    for fold in range(3):
        if fold:
            models.append(net())
            optimizer = torch.optim.SGD(models[-1].parameters(), lr=0.05)
        for x, y in batches(60):
            optimizer.zero_grad()
            loss = training.lost(functional.cross_entropy(models[-1](x), y))
            loss.backward()
            recorder.log(loss=loss)
            optimizer.step()
        models[-1].eval()
        held = list(batches(3))
        with recorder.validation(held), torch.no_grad():
            for x, _y in held:
                models[-1](x)
        models[-1].train()
    recorder.close()
    training.done(*models)


def folds_of_one_name(training: Training) -> None:
    """The same, where each model is gone when the next one is made."""
    recorder = None
    for _ in range(3):
        model = net()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
        recorder = recorder or training.recorder(model, optimizer)
        for x, y in batches(40):
            optimizer.zero_grad()
            loss = training.lost(functional.cross_entropy(model(x), y))
            loss.backward()
            recorder.log(loss=loss)
            optimizer.step()
    training.done(model)


def unsynchronised(training: Training) -> None:
    """DDP over two processes with `no_sync` and a last step of fewer micro-batches; started by `python -m …` alone."""
    import torch.multiprocessing as processes

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    processes.spawn(_unsynchronised, (training.run, port), nprocs=2)


def _unsynchronised(rank: int, run: str | None, port: int) -> None:
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    torch.distributed.init_process_group("gloo", rank=rank, world_size=2)
    torch.manual_seed(3)
    torch.set_num_threads(1)
    training = Training(run)
    model = nn.parallel.DistributedDataParallel(net())
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    data = Numbers(44)
    sampler = torch.utils.data.DistributedSampler(data, 2, rank, shuffle=False)
    with training.recorder(model, optimizer, keep_around=4, batches=True) as recorder:
        for _ in range(3):
            loader = torch.utils.data.DataLoader(data, batch_size=3, sampler=sampler)
            for place, (x, y) in enumerate(loader):
                is_last = place % 3 == 2 or place == len(loader) - 1
                with nullcontext() if is_last else model.no_sync():
                    loss = training.lost(functional.cross_entropy(model(x), y) / 3)
                    loss.backward()
                    recorder.log(loss=loss)
                if is_last:
                    optimizer.step()
                    optimizer.zero_grad()
        assert not training.run or recorder.iteration == 8
    torch.distributed.barrier()
    if rank == 0:
        training.done(model)
    torch.distributed.destroy_process_group()


def forked_workers(training: Training) -> None:
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    with training.recorder(model, optimizer, keep_around=4, batches=True) as recorder:
        for _ in range(4):
            loader = torch.utils.data.DataLoader(
                Numbers(24), batch_size=4, num_workers=2, multiprocessing_context="fork"
            )
            for x, y in loader:
                optimizer.zero_grad()
                loss = training.lost(functional.cross_entropy(model(x), y))
                loss.backward()
                recorder.log(loss=loss)
                optimizer.step()
    training.done(model)


def main() -> None:
    name, run = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else None
    torch.manual_seed(3)
    torch.set_num_threads(1)
    warnings.simplefilter("default")
    globals()[name](Training(run))


if __name__ == "__main__":
    main()
