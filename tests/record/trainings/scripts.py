"""Training scripts as people write them. The lines with `recorder` are all that dtui adds: three or fewer.

Each takes the path of the run and gives back the recorder, which the end of a script would close, and what it trained.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn, optim
from torch.nn import functional

import dtui
from dtui.record import judging
from tests.record.trainings.images import CLASSES, NAMES, SIDE, batches, training_images, validation_images

Recorded = tuple[dtui.Recorder, nn.Module]
Script = Callable[[Path], Recorded]
TRANSFORMER = {
    "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32, "image_size": SIDE,
    "patch_size": 4,
}  # fmt: skip
EPOCHS, EVERY = 4, 1


def _classifier(name: str, **options: object) -> nn.Module:
    import transformers

    configuration = getattr(transformers, f"{name}Config")(num_labels=CLASSES, **options)
    model: nn.Module = getattr(transformers, f"{name}ForImageClassification")(configuration)
    return model


def _train_classifier(path: Path, model: nn.Module) -> Recorded:
    """Train a classifier of transformers in a plain loop."""
    data, held_out = training_images(), validation_images().loader()
    optimizer = optim.AdamW(filter(lambda one: one.requires_grad, model.parameters()), lr=3e-3)
    recorder = dtui.Recorder(path, model, optimizer, every=EVERY, classes=NAMES)
    for step, rows in enumerate(batches(EPOCHS)):
        model.train()
        optimizer.zero_grad()
        loss = model(pixel_values=data.images[rows], labels=data.labels[rows]).loss
        loss.backward()
        optimizer.step()
        recorder.log(loss=loss)
        if step % 2:
            model.eval()
            with recorder.validation(held_out), torch.no_grad():
                for images, _ in held_out:
                    model(images)
    return recorder, model


def resnet(path: Path) -> Recorded:
    sizes = {"embedding_size": 8, "hidden_sizes": [8, 12], "depths": [1, 1], "layer_type": "basic"}
    return _train_classifier(path, _classifier("ResNet", **sizes))


def convnext(path: Path) -> Recorded:
    return _train_classifier(path, _classifier("ConvNext", hidden_sizes=[8, 12], depths=[1, 1], num_stages=2))


def vit(path: Path) -> Recorded:
    return _train_classifier(path, _classifier("ViT", **TRANSFORMER))


def lora(path: Path) -> Recorded:
    import peft

    wanted = peft.LoraConfig(r=2, target_modules=["q_proj", "v_proj"], modules_to_save=["classifier"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return _train_classifier(path, peft.get_peft_model(_classifier("ViT", **TRANSFORMER), wanted))


def gpt(path: Path) -> Recorded:
    """A language model: counting up, counting down, and noise are the three kinds of texts."""
    import transformers

    sizes = {"n_embd": 16, "n_layer": 2, "n_head": 2, "vocab_size": 16, "n_positions": 12}
    model = transformers.GPT2LMHeadModel(transformers.GPT2Config(**sizes, bos_token_id=0, eos_token_id=0))
    up = (torch.arange(12) + torch.arange(8)[:, None]) % 16
    texts = torch.cat([up, up.flip(1), torch.randint(0, 16, (8, 12), generator=torch.Generator().manual_seed(3))])
    kinds = ["up"] * 8 + ["down"] * 8 + ["noise"] * 8
    optimizer = optim.AdamW(model.parameters(), lr=3e-3)
    recorder = dtui.Recorder(path, model, optimizer, every=EVERY)
    for step in range(16):
        optimizer.zero_grad()
        loss = model(input_ids=texts, labels=texts).loss
        loss.backward()
        optimizer.step()
        recorder.log(loss=loss)
        if step % 2:
            with torch.no_grad():
                losses = judging.token_loss(model(texts).logits, texts, shift=True)
            recorder.judge(range(24), losses, group=kinds, better="lower", name="token loss")
    return recorder, model


def segmentation(path: Path) -> Recorded:
    import transformers

    sizes = {
        "num_encoder_blocks": 2, "depths": [1, 1], "sr_ratios": [2, 1], "hidden_sizes": [8, 16], "patch_sizes": [3, 3],
        "strides": [1, 2], "num_attention_heads": [1, 2], "mlp_ratios": [2, 2], "decoder_hidden_size": 16,
    }  # fmt: skip
    model = transformers.SegformerForSemanticSegmentation(transformers.SegformerConfig(**sizes, num_labels=4))
    data, held_out = training_images(), validation_images()
    optimizer = optim.AdamW(model.parameters(), lr=3e-3)
    recorder = dtui.Recorder(path, model, optimizer, every=EVERY, classes=NAMES)
    for step, rows in enumerate(batches(EPOCHS)):
        optimizer.zero_grad()
        loss = model(pixel_values=data.images[rows], labels=data.masks[rows]).loss
        loss.backward()
        optimizer.step()
        recorder.log(loss=loss)
        if step % 2:
            with torch.no_grad():
                scores = functional.interpolate(model(held_out.images).logits, (SIDE, SIDE))
            iou = judging.mean_iou(scores, held_out.masks)
            recorder.judge(range(24), iou, group=held_out.labels, threshold=0.3, name="IoU", images=held_out.images)
    return recorder, model


def detection(path: Path) -> Recorded:
    import transformers

    options = {**TRANSFORMER, "image_size": [SIDE, SIDE], "num_detection_tokens": 3}
    model = transformers.YolosForObjectDetection(transformers.YolosConfig(**options, num_labels=1))
    data, held_out = training_images(), validation_images()
    true = [{"boxes": _corners(box[None])} for box in held_out.boxes]
    optimizer = optim.AdamW(model.parameters(), lr=3e-3)
    recorder = dtui.Recorder(path, model, optimizer, every=EVERY, classes=NAMES)
    for step, rows in enumerate(batches(EPOCHS)):
        optimizer.zero_grad()
        wanted = [{"class_labels": torch.tensor([0]), "boxes": box[None]} for box in data.boxes[rows]]
        loss = model(pixel_values=data.images[rows], labels=wanted).loss
        loss.backward()
        optimizer.step()
        recorder.log(loss=loss)
        if step % 2:
            with torch.no_grad():
                out = model(pixel_values=held_out.images)
            sure = out.logits.softmax(2)[..., 0]
            found = [{"boxes": _corners(box), "scores": one} for box, one in zip(out.pred_boxes, sure, strict=True)]
            f1 = judging.matched_boxes(found, true, iou=0.2)
            recorder.judge(range(24), f1, group=held_out.labels, threshold=0.5, name="F1", images=held_out.images)
    return recorder, model


def _corners(boxes: Tensor) -> Tensor:
    return torch.cat([boxes[:, :2] - boxes[:, 2:] / 2, boxes[:, :2] + boxes[:, 2:] / 2], 1)


def _small_net(outputs: int) -> nn.Sequential:
    """A network as timm has them: a stem, a block, a head."""
    stem = [nn.Conv2d(3, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.SiLU()]
    block = [nn.Conv2d(8, 8, 3, 1, 1, groups=8), nn.Conv2d(8, 12, 1), nn.BatchNorm2d(12), nn.SiLU()]
    return nn.Sequential(*stem, *block, nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(48, outputs))


def multi_label(path: Path) -> Recorded:
    """Each image may have several of three labels: bright on the left, bright at the top, red."""
    model = _small_net(3)
    data, held_out = training_images(), validation_images()
    targets, wanted = _labels(data.images), _labels(held_out.images)
    optimizer = optim.AdamW(model.parameters(), lr=1e-2)
    recorder = dtui.Recorder(path, model, optimizer, every=EVERY, classes=("left", "top", "red"))
    for step, rows in enumerate(batches(EPOCHS)):
        model.train()
        optimizer.zero_grad()
        loss = functional.binary_cross_entropy_with_logits(model(data.images[rows]), targets[rows])
        loss.backward()
        optimizer.step()
        recorder.log(loss=loss)
        if step % 2:
            model.eval()
            with torch.no_grad():
                sure = judging.truth_probability(model(held_out.images), wanted)
            recorder.judge(*judging.by_class(torch.arange(24), sure), threshold=0.5, name="probability")
    return recorder, model


def _labels(images: Tensor) -> Tensor:
    left = images[..., : SIDE // 2].mean((1, 2, 3)) > images[..., SIDE // 2 :].mean((1, 2, 3))
    top = images[:, :, : SIDE // 2].mean((1, 2, 3)) > images[:, :, SIDE // 2 :].mean((1, 2, 3))
    return torch.stack([left, top, images[:, 0].mean((1, 2)) > images[:, 2].mean((1, 2))], 1).float()


def regression(path: Path) -> Recorded:
    """Where the square is, in the plane."""
    model = _small_net(2)
    data, held_out = training_images(), validation_images()
    optimizer = optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    recorder = dtui.Recorder(path, model, optimizer, every=EVERY, classes=NAMES)
    for step, rows in enumerate(batches(EPOCHS)):
        model.train()
        optimizer.zero_grad()
        loss = functional.mse_loss(model(data.images[rows]), data.boxes[rows, :2])
        loss.backward()
        optimizer.step()
        recorder.log(loss=loss)
        if step % 2:
            model.eval()
            with torch.no_grad():
                errors = judging.absolute_error(model(held_out.images), held_out.boxes[:, :2])
            recorder.judge(range(24), errors, group=held_out.labels, better="lower", name="error")
    return recorder, model


def gan(path: Path) -> Recorded:
    """Two networks, two optimizers, one run. What D makes of the same 24 samples in each validation is the score."""
    paint = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 3 * SIDE**2), nn.Unflatten(1, (3, SIDE, SIDE)))
    pair = nn.ModuleDict({"G": paint, "D": _small_net(1)})
    of_g, of_d = (optim.Adam(pair[name].parameters(), lr=2e-3, betas=(0.5, 0.9)) for name in ("G", "D"))
    data, fixed = training_images(), torch.randn(24, 8, generator=torch.Generator().manual_seed(4))
    recorder = dtui.Recorder(path, pair, [of_g, of_d], every=EVERY)
    for step, rows in enumerate(batches(EPOCHS)):
        real, fake = data.images[rows], pair["G"](torch.randn(12, 8))
        of_d.zero_grad()
        loss = functional.softplus(-pair["D"](real)).mean() + functional.softplus(pair["D"](fake.detach())).mean()
        loss.backward()
        of_d.step()
        of_g.zero_grad()
        loss_g = functional.softplus(-pair["D"](fake)).mean()
        loss_g.backward()
        of_g.step()
        recorder.log(loss=loss_g, loss_d=loss)
        if step % 2:
            with torch.no_grad():
                samples = pair["G"](fixed)
                taken_for_real = torch.sigmoid(pair["D"](samples))[:, 0]
            recorder.judge(range(24), taken_for_real, threshold=0.5, name="taken for real", images=samples)
    return recorder, pair


def distillation(path: Path) -> Recorded:
    """A frozen teacher beside the student, in one module as many scripts have it."""
    pair = nn.ModuleDict({"student": _small_net(CLASSES), "teacher": _small_net(CLASSES).requires_grad_(False).eval()})
    data, held_out = training_images(), validation_images().loader()
    optimizer = optim.AdamW(pair["student"].parameters(), lr=1e-2)
    recorder = dtui.Recorder(path, pair, optimizer, every=EVERY, classes=NAMES)
    for step, rows in enumerate(batches(EPOCHS)):
        pair["student"].train()
        optimizer.zero_grad()
        logits, wanted = pair["student"](data.images[rows]), pair["teacher"](data.images[rows])
        soft = functional.kl_div(logits.log_softmax(1), wanted.softmax(1), reduction="batchmean")
        loss = functional.cross_entropy(logits, data.labels[rows]) + 0.1 * soft
        loss.backward()
        optimizer.step()
        recorder.log(loss=loss)
        if step % 2:
            pair["student"].eval()
            with recorder.validation(held_out, model=pair["student"]), torch.no_grad():
                for images, _ in held_out:
                    pair["student"](images)
    return recorder, pair


def sharded(path: Path) -> Recorded:
    """FSDP2, in one process here; `tests/record/training/test_distributed.py` has two."""
    import torch.distributed as dist
    from torch.distributed.fsdp import fully_shard

    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    model = _small_net(CLASSES)
    fully_shard(model, mesh=dist.init_device_mesh("cpu", (1,)))
    data, held_out = training_images(), validation_images().loader()
    optimizer = optim.AdamW(model.parameters(), lr=1e-2)
    recorder = dtui.Recorder(path, model, optimizer, every=EVERY, classes=NAMES)
    for step, rows in enumerate(batches(EPOCHS)):
        model.train()
        optimizer.zero_grad()
        loss = functional.cross_entropy(model(data.images[rows]), data.labels[rows])
        loss.backward()
        optimizer.step()
        recorder.log(loss=loss)
        if step % 2:
            model.eval()
            with recorder.validation(held_out), torch.no_grad():
                for images, _ in held_out:
                    model(images)
    return recorder, model


SCRIPTS: dict[str, Script] = {
    script.__name__: script
    for script in (
        *(resnet, convnext, vit, lora, gpt, segmentation, detection, multi_label, regression, gan, distillation),
        sharded,
    )
}
