"""A script that has a recorder of its own."""

from __future__ import annotations

import sys

import torch
from tiny import Net, Squares
from torch.nn.functional import cross_entropy

import dtui

data, net = Squares(train=True), Net()
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
with dtui.Recorder(sys.argv[1], net, optimizer, every=1) as recorder:
    for _ in range(2):
        loss = cross_entropy(net(data.images), data.labels)
        loss.backward()
        recorder.log(loss=loss)
        optimizer.step()
