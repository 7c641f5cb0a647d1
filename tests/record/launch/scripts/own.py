"""A script that has a recorder of its own, in each process where a launcher starts several."""

from __future__ import annotations

import os
import sys

import torch
import torch.distributed as dist
from tiny import Net, Squares
from torch import nn
from torch.nn.functional import cross_entropy

import dtui

data, net = Squares(train=True), Net()
if "RANK" in os.environ:
    dist.init_process_group("gloo")
    net = nn.parallel.DistributedDataParallel(net)
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
with dtui.Recorder(sys.argv[1], net, optimizer, every=1) as recorder:
    for _ in range(2):
        loss = cross_entropy(net(data.images), data.labels)
        loss.backward()
        recorder.log(loss=loss)
        optimizer.step()
