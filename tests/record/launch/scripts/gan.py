"""Trains two models against each other: no single one is the model."""

from __future__ import annotations

import tiny  # noqa: F401 - one thread
import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits as bce


class Generator(nn.Sequential):
    pass


class Discriminator(nn.Sequential):
    pass


torch.manual_seed(0)
generator = Generator(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 8))
discriminator = Discriminator(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 1))
optimizer_d = torch.optim.Adam(discriminator.parameters(), lr=1e-3)
optimizer_g = torch.optim.Adam(generator.parameters(), lr=1e-3)
for _ in range(4):
    real = torch.randn(16, 8) + 2
    optimizer_d.zero_grad()
    loss = bce(discriminator(real), torch.ones(16, 1))
    loss = loss + bce(discriminator(generator(torch.randn(16, 4)).detach()), torch.zeros(16, 1))
    loss.backward()
    optimizer_d.step()
    optimizer_g.zero_grad()
    bce(discriminator(generator(torch.randn(16, 4))), torch.ones(16, 1)).backward()
    optimizer_g.step()
print("trained")
