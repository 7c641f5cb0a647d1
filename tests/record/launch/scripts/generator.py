"""Draws its batches from a generator, and calls parts of its model; in evaluation mode throughout; looks at one batch."""

from __future__ import annotations

import torch
from tiny import Squares, print_bits
from torch import nn
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader


class System(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder, self.decoder = nn.Conv2d(1, 4, 3), nn.Linear(144, 3)


def batches(data):
    for start in range(0, len(data), 24):
        yield data.images[start : start + 24], data.labels[start : start + 24]


torch.manual_seed(3)
system = System().eval()
optimizer = torch.optim.SGD(system.parameters(), lr=0.05)
losses = []
for _ in range(2):
    for x, y in batches(Squares(train=True)):
        loss = cross_entropy(system.decoder(system.encoder(x).flatten(1)), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    with torch.no_grad():
        for x, _ in DataLoader(Squares(train=False), 10):
            system.decoder(system.encoder(x).flatten(1)).argmax(1)
print_bits(system, losses)
