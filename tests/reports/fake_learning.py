"""The part of the invented run that answers what was learned, confused and checked."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

import numpy as np

from dtui.errors import NotRecordedError
from dtui.model import Check, ClassCourse, FloatArray, ImageVerdict, Incident, TimeAxis, TreeNode
from dtui.model.findings.advice import ThresholdAdvice
from dtui.model.findings.incident_evidence import IncidentEvidence, LayerMove
from dtui.model.layers import NodeBoxes
from dtui.model.learning import Confused, Confusion, ConfusionChange, ConfusionTimes, ImageList, LearnedImage
from dtui.model.views import ImageRows, ImagesRequest

FILTER_THRESHOLDS = (("least change", 0.25), ("times the layer", 6.0), ("least z", 6.0), ("most of a layer", 0.5))


class FakeLearning:
    """Answers that hold a little of everything; names come from the run."""

    names: tuple[str, ...]
    nodes: tuple[TreeNode, ...]
    errors: FloatArray
    records: int
    every: int

    def incident_evidence(self, incidents: Sequence[Incident]) -> tuple[IncidentEvidence, ...]:
        became = (Confused(1, 0, 9, 0.18), Confused(1, 2, 3, 0.06))
        moved = (LayerMove(self.nodes[0].name, 14.0),)
        shown = {True: (1, 80, became, 50), False: (None, None, (), 0)}
        return tuple(
            IncidentEvidence(one.id, self.telling(one), *shown[bool(one.classes)], (), moved) for one in incidents
        )

    def class_courses(self, by: str = "error", top: int = 10) -> tuple[ClassCourse, ...]:
        rows = [
            ClassCourse(k, name, 50, float(row[-1]), float(row.min()), 10, float(row.max()), 20)
            for k, (name, row) in enumerate(zip(self.names, self.errors, strict=True))
        ]
        return tuple(sorted(rows, key=lambda one: -(one.last if by == "error" else one.change))[:top])

    def image_list(self, name: str, label: int | None = None, top: int | None = None) -> ImageList:
        target = 0 if label is None else label
        image = LearnedImage(3, self.names[0], target, 40, 30, 5, 10, False, 1, 22)
        return ImageList(name, 9, (image,))

    def image_rows(self, request: ImagesRequest) -> ImageRows:
        """Three images of each class, of which the last is always wrong."""
        right = np.repeat(np.array([[1.0], [0.5], [0.0]], np.float32), request.axis.columns, axis=1)
        order = np.arange(3)
        return ImageRows(request, right, np.full(right.shape, -1, np.int32), order, 3, order == 2)

    def image_verdict(self, image: int, iteration: int) -> ImageVerdict:
        pixels = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
        return ImageVerdict(image, "id", 0, 1, 0.5, iteration, 30, 40, pixels)

    def confusion(self, iteration: int, window: int = 1) -> Confusion:
        pairs = (Confused(0, 1, 5, 0.1), Confused(1, 0, 2, 0.04))
        return Confusion(iteration, pairs, (10,), (20,), self.grown_confusions([iteration])[0])

    def grown_confusions(
        self, iterations: Sequence[int], window: int = 1, top: int = 20
    ) -> tuple[tuple[ConfusionChange, ...], ...]:
        grown = (ConfusionChange(1, 0, 0.0, 0.5, 25.0, 2.5), ConfusionChange(0, 1, 0.0, 0.01, 1.0, 0.01))
        return tuple(grown[:top] for _ in iterations)

    def keeping_labels(self) -> AbstractContextManager[None]:
        return nullcontext()

    def keeping_pictures(self) -> AbstractContextManager[None]:
        return nullcontext()

    def confusion_times(self, label: int) -> ConfusionTimes:
        """Every image that is wrong is taken for the next class."""
        wrong = np.rint(50 * self.errors[label, : self.records]).astype(np.int64)
        at = self.every * np.arange(self.records)
        return ConfusionTimes(
            *(label, at, np.array([(label + 1) % len(self.names)]), wrong[None], np.full(self.records, 50))
        )

    def node_boxes(self, nodes: Sequence[int], source: str, axis: TimeAxis) -> NodeBoxes:
        """Boxes around zero, as wide as the number of the node; the last column of the first has no value."""
        spread = np.array([-3.0, -1.0, 0.0, 1.0, 3.0])[:, None, None] * (1 + np.array(nodes))[None, :, None]
        values = np.repeat(spread, axis.columns, axis=2)
        values[:, 0, -1] = np.nan
        return NodeBoxes(axis, source, tuple(nodes), values, -9.0, 9.0)

    def all_checks(self) -> tuple[Check, ...]:
        held = Check("jumps of filters", "filter statistics", "", False, "FINDINGS §2", FILTER_THRESHOLDS)
        lacking = Check(
            "the flight recorder", "watches", "no watches were recorded", True, "", (("least change", 0.15),)
        )
        return (held, lacking)

    def advise(self) -> ThresholdAdvice:
        raise NotRecordedError("run: 3 validations; advice on a threshold needs 12")

    def faults(self) -> tuple[str, ...]:
        return ()

    def decided_by(self, anomaly: str) -> tuple[str, str]:
        return "ada", "2026-11-24T08:00:00+00:00"
