"""Answers how images were learned and forgotten, and how dense anomalies are in the stages of the learning rate."""

from __future__ import annotations

from collections import Counter

import numpy as np

from dtui.analysis.relations.learning import images_of_list
from dtui.analysis.stages import count_in_stages
from dtui.errors import UsageError
from dtui.model import AnomalySettings, IntArray
from dtui.model.learning import IMAGE_LISTS, ImageList, LearnedImage, StageDensity
from dtui.query.anomalies import anomalies
from dtui.query.classes.errors import check_labels
from dtui.query.curves import stages
from dtui.query.data import RunData
from dtui.query.labels.kept_learning import learning
from dtui.query.relations.correlation import class_events

READ_TOGETHER = 512
"""Images whose labels are read at once, where they are not kept."""


def image_list(data: RunData, name: str, label: int | None, top: int | None) -> ImageList:
    """Answer `RunQuery.image_list`."""
    if name not in IMAGE_LISTS:
        raise UsageError(f"list of images {name!r} is unknown; use one of {', '.join(IMAGE_LISTS)}")
    if top is not None and top < 1:
        raise UsageError(f"images: the top {top}; ask for at least 1")
    if label is not None:
        check_labels(data, [label])
    images = data.images
    if images is None or not len(data.validations):
        return ImageList(name, 0, ())
    listed = images_of_list(name, learning(data))
    if label is not None:
        listed = listed[images.targets[listed] == label]
    return ImageList(name=name, total=len(listed), images=learned_images(data, listed[:top]))


def learned_images(data: RunData, shown: IntArray) -> tuple[LearnedImage, ...]:
    """Return how some images of the run were learned and forgotten, and what they were taken for."""
    images, learned = data.images, learning(data)
    if images is None:
        return ()
    taken_for = _taken_for(data, shown, images.targets[shown].tolist())
    return tuple(
        LearnedImage(
            image=image,
            id=images.ids[image] if image < len(images.ids) else str(image),
            target=int(images.targets[image]),
            judged=int(learned.judged[image]),
            wrong=int(learned.wrong[image]),
            forgotten=int(learned.forgotten[image]),
            first_right=_iteration(data, int(learned.first_right[image])),
            is_right_at_last=bool(learned.is_right_at_last[image]),
            taken_for=taken_for[image][0],
            taken_for_times=taken_for[image][1],
        )
        for image in shown.tolist()
    )


def _iteration(data: RunData, position: int) -> int | None:
    return int(data.validations[position]) if position >= 0 else None


def _taken_for(data: RunData, images: IntArray, targets: list[int]) -> dict[int, tuple[int | None, int]]:
    """Return the wrong label that each image got most often (of equal ones the smallest), and how often."""
    target = dict(zip(images.tolist(), targets, strict=True))
    classes, count = len(data.class_sizes), len(data.validations)

    def is_possible(image: int, rows: IntArray) -> bool:
        if not len(rows):
            return True
        label, times = rows[0].tolist()
        return len(rows) == 1 and 0 <= label < classes and label != target[image] and 1 <= times <= count

    found = data.kept_rows(
        "taken for", 2, images.tolist(), lambda some: _count_taken_for(data, some, target), is_possible
    )
    return {image: tuple(rows[0].tolist()) if len(rows) else (None, 0) for image, rows in found.items()}


def _count_taken_for(data: RunData, images: list[int], target: dict[int, int]) -> dict[int, IntArray]:
    """Return the label and how often as a row for each image; no row for one that was never wrong."""
    found: dict[int, IntArray] = {}
    ascending, every = np.sort(np.array(images, np.int64)), slice(0, len(data.validations))
    for block in np.split(ascending, np.flatnonzero(np.diff(ascending // READ_TOGETHER)) + 1):
        if len(block):
            first = int(block[0])
            labels = data.labels(slice(first, int(block[-1]) + 1), every)
            for image in block.tolist():
                row = labels[image - first]
                wrong = Counter(row[(row >= 0) & (row != target[image])].tolist())
                most = sorted(wrong.items(), key=lambda item: (-item[1], item[0]))[:1]
                found[image] = np.array(most, np.int64).reshape(-1, 2)
    return found


def anomaly_density(data: RunData, settings: AnomalySettings | None) -> tuple[StageDensity, ...]:
    """Answer `RunQuery.anomaly_density`."""
    all_stages = stages(data)
    events = class_events(anomalies(data, settings))
    validations = count_in_stages(all_stages, data.validations)
    found = count_in_stages(all_stages, np.array([event.iteration for event in events], dtype=np.int64))
    with np.errstate(invalid="ignore"):
        density = 100 * found / validations
    return tuple(
        StageDensity(stage, int(judged), int(count), float(per_hundred))
        for stage, judged, count, per_hundred in zip(all_stages, validations, found, density, strict=True)
    )
