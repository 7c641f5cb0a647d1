"""A RunQuery that answers from invented arrays, at once and without files."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

import numpy as np

from dtui.model import (
    AnomalySettings,
    Cause,
    ClassErrors,
    Curves,
    Heatmap,
    ImageRows,
    ImageSet,
    ImageVerdict,
    Incident,
    Layer,
    NodeSeries,
    RunInfo,
    RunMetadata,
    RunStatus,
    Stage,
    TreeNode,
)
from dtui.model.cube import CellCourses
from dtui.model.findings.incident_evidence import IncidentEvidence
from dtui.model.findings.telling import Telling
from dtui.model.findings.verdict import Level, Verdict
from dtui.model.layers import FilterCourse
from dtui.model.statistics import by_name
from tests import grids
from tests.anomalies import class_anomaly
from tests.tui.fake_layers import FakeLayers
from tests.tui.fake_validation import FakeValidation


def make_tree(blocks: int = 3, layers: int = 2, filters: int = 16) -> tuple[TreeNode, ...]:
    """stem conv, `blocks` modules with `layers` convs each, head linear."""
    nodes: list[TreeNode] = []
    layer = 0
    first = 0

    def add(name, depth, parent, is_layer, below, kind, detail, n):
        nonlocal layer, first
        nodes.append(
            TreeNode(
                len(nodes), name, name.rpartition(".")[2], depth, parent,
                layer if is_layer else None, None if is_layer else len(nodes) + 1,
                tuple(range(layer, layer + below)), kind, detail, n, first,
            )
        )  # fmt: skip
        if is_layer:
            layer += 1
            first += n

    add("stem", 0, -1, True, 1, "Conv2d", "3×3", filters)
    for block in range(blocks):
        parent = len(nodes)
        add(f"block{block}", 0, -1, False, layers, "BasicBlock", "", filters * layers)
        for index in range(layers):
            add(f"block{block}.conv{index}", 1, parent, True, 1, "Conv2d", "3×3", filters)
    add("head", 0, -1, True, 1, "Linear", "", 10)
    return tuple(nodes)


class FakeQuery(FakeLayers, FakeValidation):
    """Deterministic: every number is a function of its place."""

    def __init__(
        self, records=200, every=5, classes=("cat", "dog", "bird", "fish"), per_class=12, tree=None, live=False
    ):
        self.tree_ = make_tree() if tree is None else tree
        self.classes_ = tuple(classes)
        self.per_class, self.every, self.records = per_class, every, records
        self.live = live
        self.decided: list[tuple[str, str, str | None]] = []
        self.decisions: dict[str, tuple[str, str]] = {}
        self.asked: list[object] = []
        self.closed = False
        self.fail_with: Exception | None = None
        self.changed = False
        self.joins = ()
        self.found = 3  # incidents

    # --- the run
    def close(self):
        self.closed = True

    def refresh(self):
        changed, self.changed = self.changed, False
        return changed

    def info(self):
        n = len(self.classes_)
        return RunInfo(
            run="fake", status=RunStatus.LIVE if self.live else RunStatus.DONE, reason="", format=1, invented=True,
            records=self.records, validations=self.records if n else 0,
            first_iteration=0 if self.records else None, last_iteration=self.last if self.records else None,
            layers=sum(node.layer is not None for node in self.tree_), filters=self.tree_[-1].first_filter + 10,
            classes=n, images=n * self.per_class, gaps=(), findings=(), joins=self.joins,
        )  # fmt: skip

    @property
    def last(self):
        return (self.records - 1) * self.every

    path = Path("x.dtui")
    damage = ()
    failed = ()

    quiet = 0.0

    def quiet_seconds(self, now):
        return self.quiet

    def prepare_incidents(self, seconds):
        return True

    def prepare_images(self, classes, seconds):
        return True

    def tidy(self):
        pass

    def keeping_first_screen(self):
        return nullcontext(lambda: None)

    def prepare_anomalies(self, settings, seconds):
        return True

    def faults(self):
        return self.damage

    def detector_faults(self):
        return self.failed

    def metadata(self):
        return RunMetadata("fake", "2026-01-01T00:00:00+00:00", self.every, True)

    def image_set(self):
        if not self.classes_:
            return None
        targets = np.repeat(np.arange(len(self.classes_), dtype=np.uint16), self.per_class)
        return ImageSet(self.classes_, targets, tuple(f"img{i}" for i in range(len(targets))))

    def limits(self):
        return (0.0, float(max(1, self.last + self.every)))

    def record_iterations(self):
        return np.arange(self.records, dtype=np.int64) * self.every

    def validation_iterations(self):
        return self.record_iterations() if self.classes_ else np.zeros(0, np.int64)

    def stages(self):
        return (Stage(0, 0.1), Stage(self.last // 2, 0.01)) if self.records > 2 else ()

    # --- answers
    def _times(self, axis):
        times = axis.first + (np.arange(axis.columns) + 0.5) * axis.column_span
        return np.where(times <= self.last + self.every, times, np.nan)

    def _ask(self, *question):
        self.asked.append(question)
        if self.fail_with is not None:
            raise self.fail_with

    def curves(self, axis):
        self._ask("curves", axis)
        values = 0.8 * np.exp(-self._times(axis) / max(1.0, 0.3 * self.last)) + 0.05
        return Curves(axis, {"validation_error": values, "loss": 3 * values}, {})

    def curves_at(self, iteration):
        return {}

    def tree(self):
        return self.tree_

    def recorded(self, rows):
        return tuple(by_name(rows))

    def node_series(self, nodes, statistic, source, axis):
        self._ask("series", tuple(nodes), statistic, source)
        times = self._times(axis)
        values = np.array([np.sin(times / 100 + node) for node in nodes]).reshape(len(nodes), axis.columns)
        return NodeSeries(axis, statistic, source, tuple(nodes), values, 1.0)

    def heatmap(self, request):
        self._ask("heatmap", request)
        n = self.tree_[request.node].filters
        order = np.arange(n) if request.sort == "index" else np.arange(n)[::-1]
        pixels = min(request.pixels, request.count)
        times = self._times(request.axis)
        shades = np.clip(np.abs(np.sin(np.arange(pixels)[:, None] + times[None] / 200)), 0, 1)
        none = np.zeros(n, bool)
        return Heatmap(request, shades * 0.01, shades, 0.01, order, n, none, none, np.zeros(n, np.int64))

    def class_errors(self, groups, axis):
        self._ask("errors", tuple(groups))
        times = self._times(axis)
        values = np.array([np.exp(-times / (100 + 50 * sum(group))) for group in groups])
        return ClassErrors(axis, tuple(tuple(group) for group in groups), values.reshape(len(groups), axis.columns))

    def image_rows(self, request):
        self._ask("images", request)
        n = len(request.classes) * self.per_class
        first = np.concatenate([np.arange(c * self.per_class, (c + 1) * self.per_class) for c in request.classes])
        pixels = min(request.pixels, request.count)
        times = self._times(request.axis)
        right = np.where(np.isnan(times), np.nan, (times[None] > 20 * np.arange(pixels)[:, None]).astype(float))
        return ImageRows(request, right, np.where(right == 1, -1, 0).astype(np.int32), first, n, np.zeros(n, bool))

    def image_verdict(self, image, iteration):
        self._ask("verdict", image, iteration)
        target = image // self.per_class
        return ImageVerdict(image, f"img{image}", target, target, 0.9, iteration, 3, 10, None)

    def not_judged(self, settings=None):
        return ()

    def anomalies(self, settings=None):
        settings = settings or AnomalySettings()
        self._ask("anomalies", settings)
        found = []
        if self.records > 50 and self.classes_:
            for place, (at, direction) in enumerate([(20, "lost"), (21, "gained"), (40, "lost")]):
                label = place % len(self.classes_)
                id_ = f"class-left-{label}-{at * self.every}-{direction}"
                status, note = self.decisions.get(id_, ("new", ""))
                share = 0.3 + 0.1 * place
                if share >= settings.threshold:
                    found.append(
                        class_anomaly(at * self.every, direction, share, label, status, note, count=4,
                                      threshold=settings.threshold)
                    )  # fmt: skip
        return tuple(found)

    def all_checks(self):
        return ()

    def incidents(self):
        """Three, of the classes and iterations of the first anomalies."""
        self._ask("incidents")
        found = []
        if self.records > 50 and self.classes_:
            for place, at in enumerate((20, 21, 40)[: self.found]):
                label, first = place % len(self.classes_), at * self.every
                id_ = f"incident-{first}-class-class{label}"
                status, note = self.decisions.get(id_, ("new", ""))
                sentence = f"the error of {self.classes_[label]} rose from 1 % to {40 + 10 * place} %"
                found.append(
                    Incident(id_, Cause.CLASS, first, first, (), (), (label,), (), sentence, 0.1 * (place + 1),
                             status=status, note=note)
                )  # fmt: skip
        return tuple(found)

    def turned_wrong(self, incident):
        return None

    def incident_evidence(self, incidents):
        self._ask("evidence", tuple(incident.id for incident in incidents))
        iterations = self.validation_iterations()[:41]
        found = []
        for incident in incidents:
            what = f"error of class {self.classes_[incident.classes[0]]}"
            errors = Telling("class", what, "share", iterations, 1 / (1 + iterations))
            found.append(IncidentEvidence(incident.id, (errors,), incident.classes[0]))
        return tuple(found)

    def incidents_not_judged(self):
        return ()

    def _layers(self):
        kept = sorted((node for node in self.tree_ if node.layer is not None), key=lambda node: node.layer)
        return [Layer(n.layer, n.name, n.kind, (n.filters, 3, 3, 3), n.first_filter) for n in kept]

    def incident_grid(self, choice=None, order="class"):
        self._ask("grid", choice, order)
        return grids.grid(self.incidents(), self._layers(), choice, order)

    def grid_cell(self, grid, row, layer):
        self._ask("cell", row, layer)
        return grids.cell(grid, row, layer)

    def verdict(self):
        return told_verdict(self.incidents())

    def cell_courses(self, label, layer, filters, statistic, axis):
        self._ask("cell courses", label, layer, filters)
        line = np.linspace(0, 1, axis.columns)
        error, *moved = (
            FilterCourse(name, line, line / 2, line / 4, line * 2, np.full(axis.columns, rank))
            for rank, name in enumerate(["error", *[statistic] * len(filters)])
        )
        return CellCourses(axis, label, layer, tuple(filters), error, tuple(moved), 9)

    def cube(self, request, choice=None):
        self._ask("cube", request)
        return grids.cube(self.incident_grid(choice, request.order), request)

    def decide(self, anomaly, status, note=None):
        if self.fail_with is not None:
            raise self.fail_with
        self.decided.append((anomaly, status, note))
        self.decisions[anomaly] = (status, note or "")

    def decide_all(self, decisions):
        for decision in decisions:
            self.decide(*decision)


def told_verdict(worst):
    return Verdict(
        level=Level.LOOK, headline="Look at this.", worst=tuple(worst), remarks=(), new=len(worst), flagged=0,
        dismissed=0, checks=(), unchecked=(), error_name="", last_error=None, best_error=None, worst_class=None,
        dead=None, broken=0, status=RunStatus.DONE, reason="", records=1, validations=1, last_iteration=None, began="",
    )  # fmt: skip
