"""As pytorch/examples' imagenet/main.py is written: workers of its own, and DDP where it is launched so."""

from __future__ import annotations

import os
import sys

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from tiny import Net, Squares, print_bits
from torch import nn
from torch.utils.data import DataLoader, Subset
from torch.utils.data.distributed import DistributedSampler


def main():
    kind = sys.argv[1]
    if kind == "spawn":
        os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": sys.argv[2]}
        mp.spawn(main_worker, nprocs=2, args=(2,))
    elif kind == "launched":
        main_worker(int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"]))
        sys.exit(int(sys.argv[2]) if sys.argv[2:] else 0)
    else:
        main_worker(0, 1)


def main_worker(rank, world):
    torch.manual_seed(0)
    model = Net()
    if world > 1:
        dist.init_process_group("gloo", rank=rank, world_size=world)
        model = nn.parallel.DistributedDataParallel(model)
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9, weight_decay=1e-4)
    train_dataset, val_dataset = Squares(train=True), Squares(train=False)
    train_sampler = DistributedSampler(train_dataset) if world > 1 else None
    val_sampler = DistributedSampler(val_dataset, shuffle=False, drop_last=True) if world > 1 else None
    train_loader = DataLoader(
        train_dataset,
        batch_size=16,
        shuffle=train_sampler is None,
        num_workers=0 if world > 1 else 2,
        sampler=train_sampler,
    )
    val_loader = DataLoader(val_dataset, batch_size=8, shuffle=False, sampler=val_sampler)
    best_acc1 = 0
    losses = []
    for epoch in range(2):
        if train_sampler is not None:
            train_sampler.set_epoch(epoch)
        train(train_loader, model, criterion, optimizer, losses)
        acc1 = validate(val_loader, model, criterion, world)
        best_acc1 = max(acc1, best_acc1)
    if rank == 0:
        print_bits(model, losses)
    if world > 1:
        dist.destroy_process_group()


def train(train_loader, model, criterion, optimizer, losses):
    model.train()
    for _, (images, target) in enumerate(train_loader):
        images = images.to("cpu", non_blocking=True)
        target = target.to("cpu", non_blocking=True)
        output = model(images)
        loss = criterion(output, target)
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def validate(val_loader, model, criterion, world):
    def run_validate(loader, base_progress=0):
        correct = 0
        with torch.no_grad():
            for images, target in loader:
                output = model(images)
                criterion(output, target)
                correct += (output.topk(2)[1][:, 0] == target).sum().item()
        return correct

    model.eval()
    correct = run_validate(val_loader)
    if world > 1 and len(val_loader.sampler) * world < len(val_loader.dataset):
        rest = Subset(val_loader.dataset, range(len(val_loader.sampler) * world, len(val_loader.dataset)))
        run_validate(DataLoader(rest, batch_size=8))
    return correct


if __name__ == "__main__":
    main()
