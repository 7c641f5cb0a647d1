"""Lightning's Trainer, with nothing of dtui."""

from __future__ import annotations

import logging
import warnings

import lightning as L
import torch
from tiny import Net, Squares, print_bits
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader

warnings.filterwarnings("ignore")
logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)


class System(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.net, self.losses = Net(), []

    def training_step(self, batch, _):
        x, y = batch
        loss = cross_entropy(self.net(x), y)
        self.losses.append(loss.item())
        return loss

    def validation_step(self, batch, _):
        x, y = batch
        self.log("val_loss", cross_entropy(self.net(x), y))

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


L.seed_everything(7, verbose=False)
system = System()
trainer = L.Trainer(
    max_epochs=2,
    accelerator="cpu",
    logger=False,
    enable_checkpointing=False,
    enable_progress_bar=False,
    enable_model_summary=False,
)
trainer.fit(system, DataLoader(Squares(train=True), 8, shuffle=True), DataLoader(Squares(train=False), 10))
print_bits(system, system.losses)
