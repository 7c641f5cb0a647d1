"""One of two processes of a distributed training; started by test_distributed."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, DistributedSampler, TensorDataset

from dtui.errors import RecorderError
from dtui.record import Recorder, recording
from dtui.record.start.resume import count_updates
from dtui.record.training import distributed, gradient_look
from dtui.store.write.background_compactor import Compactor
from tests.record.conftest import small_net

COUNT = 23
STEPS = 5


def pictures() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(11)
    return torch.randn(COUNT, 1, 8, 8, generator=generator), torch.randint(0, 3, (COUNT,), generator=generator)


def seeded() -> nn.Module:
    torch.manual_seed(3)
    return small_net()


def train(model: nn.Module, recorder: Recorder, optimizer: torch.optim.Optimizer, *, is_validated: bool = True) -> None:
    """Every process sees every image, so that the averaged gradients are those of one process."""
    images, labels = pictures()
    for step in range(STEPS):
        optimizer.zero_grad()
        loss = functional.cross_entropy(model(images), labels)
        loss.backward()
        recorder.log(loss=loss)
        optimizer.step()
        if step % 2 == 0 and is_validated:
            yield_validation(model, recorder)


def yield_validation(model: nn.Module, recorder: Recorder) -> None:
    data = TensorDataset(*pictures())
    sampler = DistributedSampler(data, shuffle=True) if dist.is_initialized() else None
    loader = DataLoader(data, 4, sampler=sampler)
    with recorder.validation(loader), torch.no_grad():
        for images, _ in loader:
            model(images)


def judge_own(model: nn.Module, recorder: Recorder, optimizer: torch.optim.Optimizer) -> None:
    """Each process judges every other image."""
    images, _ = pictures()
    own = range(dist.get_rank(), COUNT, dist.get_world_size())
    for step in range(2):
        optimizer.zero_grad()
        model(images).sum().backward()
        optimizer.step()
        scores = torch.tensor([float(one + 100 * step) for one in own])
        groups = [f"rank {dist.get_rank()}"] * len(own)
        recorder.judge(own, scores, groups, threshold=10, spread=True)


def data_parallel(folder: Path) -> None:
    model = nn.parallel.DistributedDataParallel(seeded())
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with Recorder(folder / "ddp", model, optimizer, every=1) as recorder:
        train(model, recorder, optimizer)
    if dist.get_rank() == 0:
        torch.save(model.module.state_dict(), folder / "ddp.pt")
    with Recorder(folder / "judged", model, optimizer, every=1) as recorder:
        judge_own(model, recorder, optimizer)
    with Recorder(folder / "watched", model, optimizer, every=10, keep_around=4) as recorder:
        assert (recorder._recording.watch_plan is not None) == (dist.get_rank() == 0)
        train(model, recorder, optimizer)


def fully_sharded(folder: Path) -> None:
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    ranks = dist.get_world_size()
    for name, shape in (("fsdp", (ranks,)), ("hsdp", (2, ranks // 2))):  # two copies, each over half of the ranks
        mesh = init_device_mesh("cpu", shape, mesh_dim_names=("copies", "shards")[-len(shape) :])
        model = seeded()
        for layer in (model[0], model[2], model[4]):
            fully_shard(layer, mesh=mesh)
        fully_shard(model, mesh=mesh)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        with pytest.raises(RecorderError, match="is sharded over processes, watches need whole weights"):
            Recorder(folder / "refused", model, optimizer, keep_around=10)
        with Recorder(folder / name, model, optimizer, every=1) as recorder:
            train(model, recorder, optimizer)


def broken(folder: Path) -> None:
    """From step 2 on the gradient of the middle layer and of those before it is NaN, in half of the filters alone."""
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    whole, sharded = nn.parallel.DistributedDataParallel(seeded()), seeded()
    mesh = init_device_mesh("cpu", (dist.get_world_size(),))
    for layer in (sharded[0], sharded[2], sharded[4]):
        fully_shard(layer, mesh=mesh)
    fully_shard(sharded, mesh=mesh)
    images, labels = pictures()
    limit, gradient_look.MOST_SHARE = gradient_look.MOST_SHARE, float("inf")
    for name, model in (("broken-ddp", whole), ("broken-fsdp", sharded)):
        middle = (model.module if name == "broken-ddp" else model)[2]
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        with Recorder(folder / name, model, optimizer, every=4) as recorder:
            for step in range(STEPS):
                middle.register_full_backward_hook(spoil) if step == 2 else None
                optimizer.zero_grad()
                functional.cross_entropy(model(images), labels).backward()
                optimizer.step()
            recorder.close()
    gradient_look.MOST_SHARE = limit


def spoil(module: nn.Module, inputs: Any, outputs: Any) -> Any:
    """As a backward pass that makes NaN of what goes on to the layers before."""
    return tuple(None if one is None else one * float("nan") for one in inputs)


def cut_flat(folder: Path) -> None:
    """FSDP1 is refused on both processes, and so is an optimizer that steps within backward."""
    from torch.distributed.fsdp import FullyShardedDataParallel
    from torch.distributed.optim import ZeroRedundancyOptimizer

    for is_original in (False, True):
        model = FullyShardedDataParallel(seeded(), use_orig_params=is_original, device_id=torch.device("cpu"))
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        with pytest.raises(RecorderError, match=r"\(FSDP1\) cuts weights .* use fully_shard \(FSDP2\) or Distr"):
            Recorder(folder / "flat", model, optimizer)
    model = nn.parallel.DistributedDataParallel(seeded())
    hidden = ZeroRedundancyOptimizer(model.parameters(), torch.optim.SGD, overlap_with_ddp=True, lr=0.1)
    with pytest.raises(RecorderError, match="leave overlap_with_ddp out"):
        Recorder(folder / "flat", model, hidden)


def states_spread(folder: Path) -> None:
    """ZeRO: each process keeps a part of the optimizer's states, and all weights."""
    from torch.distributed.optim import ZeroRedundancyOptimizer

    model = nn.parallel.DistributedDataParallel(seeded())
    optimizer = ZeroRedundancyOptimizer(model.parameters(), torch.optim.SGD, lr=0.1)
    with Recorder(folder / "zero", model, optimizer, every=1) as recorder:
        train(model, recorder, optimizer)
    adam = ZeroRedundancyOptimizer(model.parameters(), torch.optim.AdamW, lr=0.1)
    for _ in range(2):
        adam.step()
    assert count_updates(adam) == 2


def normalised() -> nn.Module:
    """Return a network of which no process holds whole scales once it is sharded."""
    torch.manual_seed(5)
    return nn.Sequential(nn.Conv2d(1, 5, 3), nn.BatchNorm2d(5), nn.Flatten(), nn.LayerNorm((180,)), nn.Linear(180, 3))


def with_norms(folder: Path) -> None:
    """Record normalisation layers that are whole in each process, and sharded over both."""
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    ranks = dist.get_world_size()
    whole, sharded, copied = nn.parallel.DistributedDataParallel(normalised()), normalised(), normalised()
    fully_shard(sharded, mesh=init_device_mesh("cpu", (ranks,)))
    fully_shard(copied, mesh=init_device_mesh("cpu", (2, ranks // 2), mesh_dim_names=("copies", "shards")))
    for name, model in (("norms-ddp", whole), ("norms-fsdp", sharded), ("norms-hsdp", copied)):
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        with Recorder(folder / name, model, optimizer, every=1, norms="channels") as recorder:
            train(model, recorder, optimizer, is_validated=False)


def resumed(folder: Path) -> None:
    """Both processes go on from the checkpoint of the first, or are refused together."""
    outcome = []
    for attempt in range(2):
        torch.manual_seed(attempt)
        model = nn.parallel.DistributedDataParallel(seeded())
        optimizer = torch.optim.AdamW(model.parameters())
        if attempt:
            optimizer.load_state_dict(torch.load(folder / "again.pt"))
        with Recorder(folder / "again", model, optimizer, every=1, resume=True) as recorder:
            outcome.append(recorder.iteration)
            train(model, recorder, optimizer)
        if dist.get_rank() == 0:
            torch.save(optimizer.state_dict(), folder / "again.pt")
        dist.barrier()
    other = nn.parallel.DistributedDataParallel(nn.Sequential(nn.Flatten(), nn.Linear(64, 3)))
    try:
        Recorder(folder / "again", other, torch.optim.SGD(other.parameters(), lr=0.1), resume=True, iteration=1)
    except RecorderError as error:
        outcome.append(str(error))
    (folder / f"again-{dist.get_rank()}.txt").write_text("\n".join(map(str, outcome)))


def wide() -> nn.Module:
    """Eight megabytes of weights, and a layer of one filter, of which the second process holds nothing."""
    torch.manual_seed(4)
    return nn.Sequential(nn.Linear(2048, 1024), nn.ReLU(), nn.Linear(1024, 1))


class CountingStore:
    """The key-value store of torch.distributed, with the bytes that were put into it."""

    def __init__(self, store: Any) -> None:
        self.store, self.bytes = store, 0

    def set(self, key: str, value: bytes) -> None:
        self.bytes += len(value)
        self.store.set(key, value)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)


def frugal(folder: Path) -> None:
    """Count what is exchanged: the bytes that are left for the first process, and every collective while recording."""
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard
    from torch.distributed.tensor.debug import CommDebugMode

    model = wide()
    for layer in (model[0], model[2]):
        fully_shard(layer, mesh=init_device_mesh("cpu", (dist.get_world_size(),)))
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-4)
    recorder = Recorder(folder / "frugal", model, optimizer, every=1)
    count, record = CountingStore(recorder._exchange._store), recorder._recording.record
    recorder._exchange._store = count
    collectives = []

    def counted(*arguments: Any) -> None:
        with CommDebugMode() as mode:
            record(*arguments)
        collectives.append(mode.get_total_counts())

    recorder._recording.record = counted
    for _ in range(2):
        optimizer.zero_grad()
        model(torch.ones(3, 2048)).square().sum().backward()
        optimizer.step()
    recorder.close()
    (folder / f"frugal{dist.get_rank()}.json").write_text(json.dumps([count.bytes, collectives]))


def widowed(folder: Path) -> None:
    """The second process dies before its part of the last validation."""
    distributed.WAIT_SECONDS = 2.0
    model = seeded()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    recorder = Recorder(folder / "widowed", model, optimizer, every=1)
    images, labels = pictures()
    functional.cross_entropy(model(images), labels).backward()
    optimizer.step()
    yield_validation(model, recorder)
    if dist.get_rank() == 1:
        recorder.close()
        (folder / "died").touch()
        os._exit(0)
    optimizer.step()
    yield_validation(model, recorder)
    recorder.close()


def ended(folder: Path) -> None:
    """Both processes end between two records; then only the first one can still tell its weights."""
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    recording.CLOSING_SECONDS = 0.5
    for name, is_changed in (("ended", False), ("parted", dist.get_rank() == 1)):
        model = seeded()
        for layer in (model[0], model[2], model[4]):
            fully_shard(layer, mesh=init_device_mesh("cpu", (dist.get_world_size(),)))
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        recorder = Recorder(folder / name, model, optimizer, every=100)
        images, labels = pictures()
        for _ in range(STEPS):
            optimizer.zero_grad()
            functional.cross_entropy(model(images), labels).backward()
            recorder.log(loss=1.0)
            optimizer.step()
        if is_changed:
            with torch.no_grad():
                model[4].weight.to_local().add_(1.0)
        yield_validation(model, recorder)
        recorder.log(val_acc=0.5)
        dist.barrier()
        recorder.close()


def main() -> None:
    rank, port, folder = int(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
    ranks = int(sys.argv[4]) if sys.argv[4:] else 2
    torch.set_num_threads(1)
    Compactor.finish = lambda self: None  # type: ignore[method-assign]  # has its tests, and takes a second a run
    dist.init_process_group("gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=ranks)
    data_parallel(folder)
    fully_sharded(folder)
    broken(folder)
    cut_flat(folder)
    states_spread(folder)
    with_norms(folder)
    resumed(folder)
    frugal(folder)
    ended(folder)
    widowed(folder)


if __name__ == "__main__":
    main()
