"""Evaluates an average of the weights alone, on the first batches, while the model itself stays in training mode.

Its first batch is there before the optimizer is made.
"""

from __future__ import annotations

import torch
from tiny import Net, Squares, print_bits
from torch.nn.functional import cross_entropy
from torch.optim.swa_utils import AveragedModel
from torch.utils.data import DataLoader

torch.manual_seed(4)
loader = DataLoader(Squares(train=True), 16, shuffle=True)
batches = iter(loader)
x, y = next(batches)
net = Net()
optimizer = torch.optim.SGD(net.parameters(), lr=0.05)
average = AveragedModel(net)
losses = []
for _ in range(3):
    while x is not None:
        optimizer.zero_grad()
        loss = cross_entropy(net(x), y)
        loss.backward()
        optimizer.step()
        average.update_parameters(net)
        losses.append(loss.item())
        x, y = next(batches, (None, None))
    batches = iter(loader)
    average.eval()
    right = 0
    with torch.no_grad():
        for number, (images, labels) in enumerate(DataLoader(Squares(train=False), 10)):
            if number == 2:
                break
            right += (average(images).argmax(1) == labels).sum().item()
    print("right", right)
    x, y = next(batches)
print_bits(net, losses)
