"""Sums up its evaluation by itself, without no_grad; makes its loaders anew; looks at some pictures; two optimizers.

A teacher that TorchScript has frozen is called in training; what is evaluated is an export to TorchScript.
"""

from __future__ import annotations

import torch
from tiny import Net, Squares, print_bits
from torch import nn
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, SubsetRandomSampler

torch.manual_seed(5)
net = Net()
body = torch.optim.SGD(net.conv.parameters(), lr=0.05, momentum=0.9)
head = torch.optim.AdamW(net.fc.parameters(), lr=0.01)
everything = Squares(train=True)
train_sampler, valid_sampler = SubsetRandomSampler(range(72)), SubsetRandomSampler(range(72, 96))
teacher = torch.jit.freeze(torch.jit.script(Net().eval()))  # has no `training`, and takes no hooks
critic = nn.Sequential(nn.Flatten(), nn.Linear(64, 3)).eval()  # another network, which each evaluation calls first
losses = []
for _ in range(3):
    net.train()
    for x, y in DataLoader(everything, 12, sampler=train_sampler):
        teacher(x)
        body.zero_grad(), head.zero_grad()
        loss = cross_entropy(net(x), y)
        loss.backward()
        body.step(), head.step()
        losses.append(loss.item())
    net.eval()
    pictures, _ = next(iter(DataLoader(everything, 4, sampler=valid_sampler)))
    net(pictures).argmax(1)
    exported = torch.jit.script(net)
    total = right = 0.0
    for x, y in DataLoader(everything, 7, sampler=valid_sampler):
        critic(x)
        out = exported(x)
        total += float(cross_entropy(out, y, reduction="sum"))
        right += int((out.argmax(1) == y).sum())
    print(f"{total / 24:.3f} {right / 24:.0%}")
print_bits(net, losses)
