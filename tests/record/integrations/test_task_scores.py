"""A Trainer's evaluation is judged by the task of its model, also where an item has no one label."""

from __future__ import annotations

import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from dtui.record.integrations.task_scores import class_names, score_items
from dtui.store import RunReader

transformers = pytest.importorskip("transformers")


def model(kind: str = "Model", **config: Any) -> nn.Module:
    made = type(kind, (nn.Module,), {})()
    made.config = SimpleNamespace(**config)
    return made


def draw(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(5))


@pytest.mark.parametrize(("loss", "shift"), [(None, 1), ("ForCausalLM", 1), ("ForMaskedLM", 0)])
def test_texts_are_judged_by_the_loss_of_their_tokens(loss: str | None, shift: int) -> None:
    logits, labels = draw(2, 5, 7), torch.arange(10).view(2, 5) % 7
    writer = model()
    writer.loss_type = loss
    found = score_items(writer, labels, SimpleNamespace(logits=logits), 3)
    assert found is not None
    wanted = [functional.cross_entropy(logits[i, : 5 - shift], labels[i, shift:]) for i in range(2)]
    torch.testing.assert_close(found.scores, torch.stack(wanted))
    assert (found.name, found.better, found.ids.tolist()) == ("token loss", "lower", [3, 4])


def test_masks_boxes_several_labels_and_numbers_are_judged_each_in_its_way() -> None:
    masks = torch.zeros(1, 4, 4, dtype=torch.long)
    masks[:, 2:] = 1
    logits = torch.stack([1.0 - masks[:, ::2, ::2], masks[:, ::2, ::2].float()], 1)  # half as large, as Segformer's
    found = score_items(model(), masks, SimpleNamespace(logits=logits), 0)
    assert found is not None
    assert (found.name, found.group.tolist(), found.threshold) == ("IoU", [0], 0.5)
    assert float(found.scores[0]) == 1
    box = torch.tensor([[0.5, 0.5, 0.4, 0.4]])
    output = SimpleNamespace(logits=torch.tensor([[[9.0, 0], [0, 9]]]), pred_boxes=torch.cat([box, box])[None])
    boxes = score_items(model(), [{"class_labels": torch.tensor([0]), "boxes": box}], output, 0)
    assert boxes is not None
    assert (boxes.name, boxes.scores.tolist()) == ("F1", [1.0])
    several = model(problem_type="multi_label_classification")
    pairs = score_items(several, torch.tensor([[1.0, 0.0]]), SimpleNamespace(logits=torch.tensor([[8.0, 8.0]])), 4)
    assert pairs is not None
    assert (pairs.ids.tolist(), pairs.group.tolist(), (pairs.scores > 0.5).tolist()) == ([8, 9], [0, 1], [True, False])
    errors = score_items(model(), torch.tensor([1.0, 2.0]), SimpleNamespace(logits=torch.tensor([[1.5], [2.0]])), 0)
    assert errors is not None
    assert (errors.name, errors.better, errors.scores.tolist()) == ("error", "lower", [0.5, 0.0])


def test_a_classifier_is_judged_by_its_labels_as_before() -> None:
    output = SimpleNamespace(logits=draw(2, 3))
    assert score_items(model(), torch.tensor([0, 2]), output, 0) is None
    assert score_items(model(), None, output, 0) is None
    names = {0: "cat", 1: "dog"}
    assert class_names(model("NetForImageClassification", id2label=names)) == ("cat", "dog")
    assert class_names(model("NetForCausalLM", id2label=names)) is None, "LABEL_0 and LABEL_1 stand in every one"


class Counting(torch.utils.data.Dataset[dict[str, Tensor]]):
    def __len__(self) -> int:
        return 6

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        ids = (torch.arange(8) + index) % 11
        return {"input_ids": ids, "labels": ids}


@pytest.mark.filterwarnings("ignore")
def test_a_language_model_of_a_trainer_needs_the_callback_alone(tmp_path: Path) -> None:
    from dtui.record.integrations.huggingface import DtuiCallback

    sizes = {"n_embd": 8, "n_layer": 1, "n_head": 2, "vocab_size": 11, "n_positions": 8}
    gpt = transformers.GPT2LMHeadModel(transformers.GPT2Config(**sizes, bos_token_id=0, eos_token_id=0))
    options: dict[str, Any] = {"num_train_epochs": 2, "eval_strategy": "epoch", "save_strategy": "no", "report_to": []}
    batches = {"per_device_train_batch_size": 3, "per_device_eval_batch_size": 4}
    arguments = transformers.TrainingArguments(tmp_path / "out", use_cpu=True, disable_tqdm=True, **options, **batches)
    data, callback = Counting(), DtuiCallback(tmp_path / "run", every=1)
    trainer = transformers.Trainer(gpt, arguments, train_dataset=data, eval_dataset=data, callbacks=[callback])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trainer.train()
    reader = RunReader(tmp_path / "run.dtui")
    assert reader.validation_iterations.tolist() == [1, 3]
    assert reader.images is not None
    assert len(reader.images.targets) == 6
    assert "token loss_mean" in reader.scalar_names()
    reader.close()
