"""As timm's train.py is written: an optimizer from a factory, an average of the model, validate() for both, a scaler."""

from __future__ import annotations

import logging
from collections import OrderedDict
from copy import deepcopy

import torch
from tiny import Net, Squares, print_bits
from torch import nn

_logger = logging.getLogger("train")


class ModelEmaV2(nn.Module):
    def __init__(self, model, decay=0.9):
        super().__init__()
        self.module = deepcopy(model)
        self.module.eval()
        self.decay = decay

    @torch.no_grad()
    def update(self, model):
        for average, value in zip(self.module.state_dict().values(), model.state_dict().values(), strict=True):
            average.copy_(self.decay * average + (1.0 - self.decay) * value)


def create_optimizer_v2(model, lr, weight_decay):
    decay = [parameter for parameter in model.parameters() if parameter.ndim > 1]
    no_decay = [parameter for parameter in model.parameters() if parameter.ndim <= 1]
    groups = [{"params": no_decay, "weight_decay": 0.0}, {"params": decay, "weight_decay": weight_decay}]
    return torch.optim.AdamW(groups, lr=lr)


def train_one_epoch(model, loader, optimizer, loss_fn, loss_scaler, model_ema, losses):
    model.train()
    optimizer.zero_grad()
    for batch_idx, (input, target) in enumerate(loader):
        output = model(input)
        loss = loss_fn(output, target) / 2
        loss_scaler.scale(loss).backward()
        if batch_idx % 2:
            loss_scaler.step(optimizer)
            loss_scaler.update()
            optimizer.zero_grad()
            model_ema.update(model)
        losses.append(loss.item())
        if len(losses) == 2:
            print("first", sum(losses))


def validate(model, loader, loss_fn):
    model.eval()
    right = 0
    with torch.inference_mode():
        for input, target in loader:
            output = model(input)
            if isinstance(output, (tuple, list)):
                output = output[0]
            loss_fn(output, target)
            right += (output.argmax(1) == target).sum().item()
    return OrderedDict([("top1", 100 * right / len(loader.dataset))])


def main():
    torch.manual_seed(42)
    model = Net()
    optimizer = create_optimizer_v2(model, lr=0.05, weight_decay=0.05)
    loss_scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    model_ema = ModelEmaV2(model)
    loader_train = torch.utils.data.DataLoader(Squares(train=True), batch_size=8, shuffle=True)
    loader_eval = torch.utils.data.DataLoader(Squares(train=False), batch_size=10)
    loss_fn = nn.CrossEntropyLoss()
    losses = []
    for _ in range(2):
        train_one_epoch(model, loader_train, optimizer, loss_fn, loss_scaler, model_ema, losses)
        validate(model, loader_train, loss_fn)  # of the training data, which is no validation
        top1 = validate(model, loader_eval, loss_fn)["top1"]
        validate(model_ema.module, loader_eval, loss_fn)
        print("top1", top1)
    print_bits(model, losses)


if __name__ == "__main__":
    main()
