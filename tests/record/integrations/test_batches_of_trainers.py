"""The samples of each update of a trainer, against those that its network really saw."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset, IterableDataset

from dtui.store import RunReader

COUNT, BATCH = 17, 4


class Numbered(Dataset[Any]):
    def __len__(self) -> int:
        return COUNT

    def __getitem__(self, item: int) -> Any:
        return {"x": torch.ones(6), "labels": torch.tensor(item % 2), "id": torch.tensor(item)}


class Stream(IterableDataset[Any]):
    def __iter__(self) -> Iterator[Any]:
        for item in range(COUNT):
            yield {"x": torch.ones(6), "labels": torch.tensor(item % 2), "id": torch.tensor(100 + item)}


class Net(nn.Module):
    """A network that notes what it is trained on."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(6, 2)
        self.seen: list[list[int]] = []

    def forward(self, x: Any, labels: Any = None, id: Any = None) -> Any:
        if self.training:
            self.seen.append(id.tolist())
        scores = self.linear(x)
        return {"loss": functional.cross_entropy(scores, labels), "logits": scores}


def kept(path: Path) -> list[list[int]]:
    reader = RunReader(path)
    try:
        rows = reader.read_column("record_samples", slice(None), slice(None)).T
        return [sorted(int(one) for one in row if one == one) for row in rows]
    finally:
        reader.close()


@pytest.mark.parametrize(("data", "batches"), [(Numbered(), True), (Stream(), "id")])
def test_lightning(data: Any, batches: Any, tmp_path: Path) -> None:
    lightning = pytest.importorskip("lightning.pytorch")
    from dtui.record.integrations.lightning import DtuiCallback

    class Training(lightning.LightningModule):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.net = Net()

        def training_step(self, batch: Any, _: int) -> Any:
            return self.net(**batch)["loss"]

        def validation_step(self, batch: Any, _: int) -> None:
            self.net(**batch)

        def configure_optimizers(self) -> Any:
            return torch.optim.SGD(self.parameters(), 0.01)

    module = Training()
    trainer = lightning.Trainer(
        max_epochs=2,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[DtuiCallback(tmp_path / "run", every=1, batches=batches)],
    )
    original = DataLoader.__iter__
    trainer.fit(module, DataLoader(data, BATCH, shuffle=isinstance(data, Numbered)), DataLoader(Numbered(), BATCH))
    assert DataLoader.__iter__ is original
    assert kept(tmp_path / "run.dtui") == [sorted(ids) for ids in module.net.seen]
    assert len(module.net.seen) == 10


def test_transformers_with_micro_batches(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    from dtui.record.integrations.huggingface import DtuiCallback

    net = Net()
    arguments = transformers.TrainingArguments(
        output_dir=str(tmp_path / "out"),
        per_device_train_batch_size=BATCH,
        gradient_accumulation_steps=2,
        num_train_epochs=2,
        report_to=[],
        use_cpu=True,
        save_strategy="no",
        disable_tqdm=True,
        remove_unused_columns=False,
    )
    callback = DtuiCallback(tmp_path / "run", every=1, batches=True)
    transformers.Trainer(net, arguments, train_dataset=Numbered(), callbacks=[callback]).train()
    seen = [net.seen[epoch * 5 : (epoch + 1) * 5] for epoch in range(2)]
    updates = [sorted(chain(*batches[at : at + 2])) for batches in seen for at in (0, 2, 4)]
    assert kept(tmp_path / "run.dtui") == updates
