"""Hugging Face's Trainer, with nothing of dtui."""

from __future__ import annotations

import tempfile

import torch
from tiny import Squares, print_bits
from transformers import Trainer, TrainingArguments, ViTConfig, ViTForImageClassification


class Items(Squares):
    def __getitem__(self, index):
        return {"pixel_values": self.images[index], "labels": int(self.labels[index])}


config = ViTConfig(
    hidden_size=16,
    num_hidden_layers=1,
    num_attention_heads=2,
    intermediate_size=16,
    image_size=8,
    patch_size=4,
    num_channels=1,
    num_labels=3,
)
torch.manual_seed(1)
model = ViTForImageClassification(config)
with tempfile.TemporaryDirectory() as folder:
    arguments = TrainingArguments(
        folder,
        num_train_epochs=2,
        per_device_train_batch_size=8,
        eval_strategy="epoch",
        logging_steps=4,
        report_to=[],
        save_strategy="no",
        disable_tqdm=True,
        use_cpu=True,
    )
    trainer = Trainer(model, arguments, train_dataset=Items(train=True), eval_dataset=Items(train=False))
    trainer.train()
print_bits(model, [])
