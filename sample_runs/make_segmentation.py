"""Makes the sample run of a segmentation: which pixels of a noisy scene belong to which digit.

    mkdir -p runs/samples && python sample_runs/make_segmentation.py runs/samples

The scenes are made of the digits of the other samples. An image is judged by the IoU of its digit, right from 0.5 on.
"""

from __future__ import annotations

import sys
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from dtui.demo.digits import load_digits
from dtui.record import Recorder, Thumbnails
from dtui.record.judging import class_iou

SEED = 7
CLASSES = ("background", "zero", "one", "two", "three", "four")
SIDE, DIGIT = 24, 14
SCENES, JUDGED = 2_000, 300
ITERATIONS, EVERY, BATCH = 1_200, 10, 32
LOST = range(700, 712)
"""Iterations in which the pixels of the digit three are labelled as background."""
FLIPPED, LAYER, FILTER = 1_000, "down.conv", 5
"""When the largest weight of a filter is multiplied by 4,096, and where."""


@dataclass(frozen=True)
class Scenes:
    """Noisy images with one digit each.

    Attributes:
        images: Shape (n, 1, SIDE, SIDE).
        masks: The class of each pixel, shape (n, SIDE, SIDE).
        digits: The class of the digit, shape (n,).
    """

    images: Tensor
    masks: Tensor
    digits: Tensor


def scenes(images: Tensor, labels: Tensor, count: int, generator: torch.Generator) -> Scenes:
    """Return scenes with the digits 0 to 4, each at a place and in a brightness of its own."""
    known = (labels < len(CLASSES) - 1).nonzero()[:, 0]
    chosen = known[torch.randint(len(known), (count,), generator=generator)]
    canvas = 0.35 * torch.rand(count, 1, SIDE, SIDE, generator=generator)
    masks = torch.zeros(count, SIDE, SIDE, dtype=torch.long)
    places = torch.randint(SIDE - DIGIT + 1, (count, 2), generator=generator).tolist()
    brightness = 0.5 + 0.5 * torch.rand(count, generator=generator)
    low = images.amin()
    for scene, (top, left) in enumerate(places):
        digit = (images[chosen[scene], 0] - low) / (images.amax() - low)
        rows, columns = slice(top, top + DIGIT), slice(left, left + DIGIT)
        canvas[scene, 0, rows, columns] += brightness[scene] * digit
        masks[scene, rows, columns][digit > 0.4] = 1 + labels[chosen[scene]]
    return Scenes(canvas, masks, 1 + labels[chosen])


def network() -> nn.Sequential:
    """Return an encoder and a decoder with half of the pixels between them."""
    fine, wide = nn.Conv2d(1, 12, 3, padding=1), nn.Conv2d(24, 24, 5, padding=4, dilation=2)
    parts = {
        "fine": nn.Sequential(OrderedDict(conv=fine, norm=nn.BatchNorm2d(12), relu=nn.ReLU())),
        "down": nn.Sequential(
            OrderedDict(conv=nn.Conv2d(12, 24, 3, stride=2, padding=1), norm=nn.BatchNorm2d(24), relu=nn.ReLU())
        ),
        "wide": nn.Sequential(OrderedDict(conv=wide, norm=nn.BatchNorm2d(24), relu=nn.ReLU())),
        "up": nn.Upsample(scale_factor=2),
        "pixels": nn.Conv2d(24, len(CLASSES), 3, padding=1),
    }
    return nn.Sequential(OrderedDict(parts))


def main(folder: Path) -> Path:
    """Train, with both faults, and return the run."""
    torch.manual_seed(SEED)
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    digits, generator = load_digits(), torch.Generator().manual_seed(SEED)
    train = scenes(digits.train_images, digits.train_labels, SCENES, generator)
    judged = scenes(digits.validation_images, digits.validation_labels, JUDGED, generator)
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=5e-4)
    schedule = torch.optim.lr_scheduler.MultiStepLR(optimizer, [int(0.5 * ITERATIONS)], 0.1)
    notes = [
        {"iteration": LOST.start, "kind": "lost_masks", "last": LOST[-1], "class": "three"},
        {"iteration": FLIPPED, "kind": "bit_flip", "layer": LAYER, "filter": FILTER},
    ]
    with Recorder(
        *(folder / "digits-segmentation", model, optimizer),
        every=EVERY,
        classes=CLASSES,
        hyperparameters={"data": "made of MNIST digits, 24×24", "batch": BATCH, "seed": SEED},
        notes=notes,
        thumbnails=Thumbnails(size=SIDE, limit_bytes=400_000),
        on_existing="refuse",
    ) as recorder:
        for iteration in range(ITERATIONS):
            batch = torch.randint(SCENES, (BATCH,), generator=generator)
            masks = train.masks[batch]
            if iteration in LOST:
                masks = torch.where(masks == CLASSES.index("three"), 0, masks)
            if iteration == FLIPPED:
                with torch.no_grad():
                    weights = model.get_submodule(LAYER).weight[FILTER].flatten()
                    weights[weights.abs().argmax()] *= 4_096
            loss = functional.cross_entropy(model(train.images[batch]), masks)
            optimizer.zero_grad()
            loss.backward()
            recorder.log(loss=loss)
            optimizer.step()
            schedule.step()
            if iteration % EVERY == 0:
                judge(recorder, model, judged)
    return recorder.path


@torch.no_grad()
def judge(recorder: Recorder, model: nn.Module, judged: Scenes) -> None:
    """Judge each scene by the IoU of its digit."""
    model.eval()
    found = class_iou(model(judged.images), judged.masks)
    scores = found.gather(1, judged.digits[:, None])[:, 0]
    recorder.judge(range(JUDGED), scores, judged.digits, threshold=0.5, name="IoU", images=judged.images)
    model.train()


if __name__ == "__main__":
    print(main(Path(sys.argv[1])))
