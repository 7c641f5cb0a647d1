"""The answers of a FakeQuery about classes and images: deterministic, and of the right shapes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from dtui.analysis.thresholds import THRESHOLDS, advise_from
from dtui.errors import UsageError
from dtui.model import ClassCluster
from dtui.model.findings.batches import BatchAnswer, KeptBatch, StandoutSample
from dtui.model.learning import (
    ConfusionChange,
    ConfusionMatrix,
    Gallery,
    ImageHistory,
    LabelStretch,
    LabelStrips,
    LearnedImage,
    TakenFor,
)


class FakeValidation:
    """The part of FakeQuery that answers for the Validation screen and its inner screens."""

    def clusters(self, count=4, **kind):
        self._ask("clusters", count)
        groups = np.array_split(np.arange(len(self.classes_)), max(1, min(count, len(self.classes_))))
        return tuple(ClassCluster(i, f"group {i}", tuple(int(c) for c in g)) for i, g in enumerate(groups))

    def worst_classes(self, iteration, most=1):
        return ((0, 0.5),)

    def taken_for(self, classes, iteration):
        self._ask("taken for", tuple(classes), iteration)
        return TakenFor(tuple(classes), iteration, np.zeros(1, int), np.ones(1, int), np.full(1, 3), 9)

    def gallery(self, request):
        self._ask("gallery", request)
        every = np.arange(self.per_class * len(self.classes_))
        order = every if request.listed else every[np.isin(every // self.per_class, request.classes)]
        first = max(0, min(request.first, len(order) - 1))
        shown = order[first : first + request.count]
        verdicts = tuple(self.image_verdict(int(image), request.iteration) for image in shown)
        return Gallery(
            replace(request, first=first, count=len(shown)),
            order,
            verdicts,
            np.zeros(len(shown), int),
            request.iteration,
            3,
            10,
        )

    def batch(self, iteration):
        if iteration < self.every:
            raise UsageError(f"no batch was kept at or before {iteration}; the first one is at {self.every}")
        batches = [KeptBatch(at, np.arange(at, at + 40), 50) for at in range(iteration, iteration - 3, -1)]
        named = (StandoutSample(iteration + 3, 4, 9, 5, 1e-5), StandoutSample(1, 3, 9, 3, 1e-3))
        return BatchAnswer(iteration, batches[0], tuple(batches[1:]), named, 9)

    def advise(self):
        """Every threshold marks half as much as the one before it."""
        marks = np.array([[64 >> place, 128 >> place] for place in range(len(THRESHOLDS))])
        return advise_from(marks, 100)

    def anomaly_density(self, settings=None):
        return ()

    def image_history(self, image, partners=8):
        self._ask("history", image)
        target = image // self.per_class
        learned = LearnedImage(image, f"img{image}", target, 10, 3, 1, 5, True, 0, 3)
        stretches = (LabelStretch(0, 100, target, 21), LabelStretch(105, self.last, 0, 5))
        others = np.array([0, 1])
        return ImageHistory(learned, stretches, 4, others, others + 1, others + 3, others * 0, None, (None, None))

    def label_strips(self, images, axis):
        shape = (len(images), axis.columns)
        return LabelStrips(axis, tuple(images), np.ones(shape), np.full(shape, -1, np.int32), np.full(shape, 0.5))

    def confusion_matrix(self, iteration, since=None, rows=20, columns=20, picked=None):
        self._ask("matrix", iteration, since)
        n = min(len(self.classes_), rows, columns)
        counts = np.eye(n, dtype=int) * 9
        counts[0, n - 1] = 3
        changed = (ConfusionChange(0, n - 1, 0.0, 0.25, 3.0, 0.4),) if n > 1 else ()
        every = np.arange(n)
        return ConfusionMatrix(
            iteration, iteration - 5, changed, every, every, counts, every * 0, counts.sum(axis=1), 0, 0
        )

    def confusion_shares(self, pairs, axis):
        return np.full((len(pairs), axis.columns), 0.2)
