"""As accelerate's examples are written; with the word "endless" it trains until it is told to end."""

from __future__ import annotations

import sys

import torch
from accelerate import Accelerator
from tiny import Net, Squares, print_bits
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader


def main():
    accelerator = Accelerator(cpu=True)
    torch.manual_seed(2)
    model = Net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    train_loader = DataLoader(Squares(train=True), batch_size=8, shuffle=True)
    val_loader = DataLoader(Squares(train=False), batch_size=8)
    model, optimizer, train_loader, val_loader = accelerator.prepare(model, optimizer, train_loader, val_loader)
    losses = []
    epoch = 0
    while epoch < 2 or "endless" in sys.argv:
        model.train()
        for images, labels in train_loader:
            loss = cross_entropy(model(images), labels)
            accelerator.backward(loss)
            optimizer.step()
            optimizer.zero_grad()
            losses.append(loss.item())
        model.eval()
        for images, labels in val_loader:
            with torch.no_grad():
                outputs = model(images)
            accelerator.gather_for_metrics((outputs.argmax(1), labels))
        epoch += 1
        if epoch == 2 and accelerator.is_main_process:
            print_bits(model, losses)
            print("trained", flush=True)


main()
