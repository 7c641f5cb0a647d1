"""A RunQuery over invented numbers: the same questions, answers that are the same in every process."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Self

import numpy as np
import pytest

from dtui.analysis.detectors.registry import detector_named
from dtui.analysis.flip_table import ClassFlips
from dtui.errors import NotRecordedError
from dtui.model import (
    Anomaly,
    AnomalySettings,
    Cause,
    ClassAt,
    ClassCluster,
    ClassErrors,
    Curves,
    ErrorAt,
    Evidence,
    FilterCourses,
    FloatArray,
    Gap,
    ImageSet,
    Incident,
    IntArray,
    Layer,
    Level,
    Missing,
    Module,
    NodeSeries,
    RunInfo,
    RunMetadata,
    RunState,
    RunStatus,
    Stage,
    Standing,
    StateEntry,
    Structure,
    TimeAxis,
    TreeNode,
    Verdict,
)
from dtui.model.compare import Alignment, Comparison, Measure
from dtui.model.cube import Cube, CubeRequest, GridCell, IncidentGrid
from dtui.model.findings.incident_evidence import TurnedWrong
from dtui.model.findings.telling import Telling
from dtui.model.relations import FilterChoice
from dtui.query import RunQuery
from dtui.query.detecting import legends
from tests import grids
from tests.anomalies import class_anomaly, values_of
from tests.reports.fake_learning import FakeLearning

HOSTILE = (
    "</script><script>document.title='ran'</script>",
    "{{7*7}}",
    "<img src=x onerror=\"document.title='ran'\">",
    "'+alert(1)+'",
    "\x1b]0;ran\x07tabby \u202ecat",
)


class FakeQuery(FakeLearning, RunQuery):
    """A small network of `stages` modules with two layers each."""

    def __init__(
        self,
        *,
        records: int = 50,
        every: int = 10,
        stages: int = 3,
        classes: Sequence[str] = ("cat", "dog", "ship", "frog", "horse", "truck"),
        name: str = "invented-run",
        invented: bool = False,
        anomalies: int = 12,
        incidents: bool = True,
        gaps: tuple[Gap, ...] = (),
        findings: tuple[str, ...] = (),
        reason: str = "",
        status: RunStatus | None = None,
        joins: tuple[int, ...] = (),
    ) -> None:
        self.joins = joins
        self.status = status or (RunStatus.CRASHED if reason else RunStatus.DONE)
        self.records, self.every = records, every
        self.names = tuple(classes)
        self.name, self.invented, self.missing = name, invented, gaps
        self.nodes = _tree(stages, name)
        self.closed, self.findings, self.reason = False, findings, reason
        generator = np.random.default_rng(7)
        progress = np.linspace(0, 1, max(1, records))
        speed = generator.uniform(2, 7, len(self.names))[:, None]
        noise = generator.normal(0, 0.02, (len(self.names), max(1, records)))
        self.errors = np.clip(0.9 * np.exp(-speed * progress) + 0.04 + noise, 0, 1).round(3)
        drift = generator.normal(0, 0.05, (len(self.nodes), max(1, records))).cumsum(axis=1)
        self.weights = drift.round(4)
        self.decided: dict[str, dict[str, str]] = {}
        self.happened = _incidents(self) if records > 9 and incidents else ()
        self.found = tuple(_anomaly(k, generator, self) for k in range(anomalies if records else 0))

    @property
    def path(self) -> Path:
        return Path("/runs/invented-run.dtui")

    def close(self) -> None:
        self.closed = True

    def free(self) -> None:
        """Nothing is held."""

    def settle(self) -> None:
        """Nobody records it."""

    def info(self) -> RunInfo:
        images = len(self.names) * 50
        return RunInfo(
            run=self.name,
            status=self.status,
            reason=self.reason,
            format=1,
            invented=self.invented,
            records=self.records,
            validations=self.records,
            first_iteration=0 if self.records else None,
            last_iteration=(self.records - 1) * self.every if self.records else None,
            layers=sum(node.layer is not None for node in self.nodes),
            filters=sum(node.filters for node in self.nodes if node.layer is not None),
            classes=len(self.names),
            images=images,
            gaps=self.missing,
            findings=self.findings,
            joins=self.joins,
        )

    def incidents(self) -> tuple[Incident, ...]:
        return tuple(replace(one, **self.decided.get(one.id, {})) for one in self.happened)

    def incident_batches(self, incidents: Sequence[Incident]) -> tuple[None, ...]:
        return (None,) * len(incidents)

    def telling(self, incident: Incident) -> tuple[Telling, ...]:
        at = self.record_iterations()
        what = f"change of {incident.layers[0]}" if incident.layers else f"error of {self.names[1]}"
        values = self.errors[1].copy()
        others = self.errors.mean(axis=0)
        return (Telling("filter", what, "share", at, values, others, "all classes", 0.5, 0.25, incident.first),)

    def state(self) -> RunState:
        entry = StateEntry(Standing.DEAD, self.nodes[-1].name, (1, 2), (100, None), 10)
        return RunState((entry,) if self.records else (), (), self.records)

    def verdict(self) -> Verdict:
        found, info = self.incidents(), self.info()
        left = tuple(one for one in found if one.status != "dismissed")
        last = (self.records - 1) * self.every
        errors = self.errors.mean(axis=0)
        return Verdict(
            level=Level.LOOK if left else Level.FINE,
            headline=f"Look at this: {len(left)} incidents." if left else "Nothing to look at.",
            worst=left,
            remarks=("12 of 12 checks ran.",),
            new=sum(one.status == "new" for one in found),
            flagged=sum(one.status == "flagged" for one in found),
            dismissed=len(found) - len(left),
            checks=("jumps of filters",),
            unchecked=(),
            error_name="validation error" if self.records else "",
            last_error=ErrorAt(float(errors[-1]), last) if self.records else None,
            best_error=ErrorAt(float(errors.min()), int(errors.argmin()) * self.every) if self.records else None,
            worst_class=ClassAt(len(self.names) - 1, self.names[-1], 0.25, last) if self.records else None,
            dead=2,
            broken=1,
            status=info.status,
            reason=info.reason,
            records=self.records,
            validations=self.records,
            last_iteration=info.last_iteration,
            began="2026-11-23T12:00:00+00:00",
        )

    def anomaly_faults(self) -> tuple[str, ...]:
        return ()

    def metadata(self) -> RunMetadata:
        return RunMetadata(
            name=self.name,
            created="2026-11-23T12:00:00+00:00",
            every=self.every,
            invented=self.invented,
            versions={"dtui": "0.1.0", "torch": "2.13.0"},
            hyperparameters={"batch size": "64", "momentum": "0.9"},
            notes=({"iteration": 20 * self.every, "kind": "learning_rate_spike", "factor": 30},),
        )

    def structure(self) -> Structure:
        return Structure(
            layers=(Layer(0, "conv1", "Conv2d", (4, 1, 3, 3), 0),), modules=(Module(0, "", "Net", -1, (0,)),)
        )

    def image_set(self) -> ImageSet | None:
        targets = np.repeat(np.arange(len(self.names)), 50).astype(np.uint16)
        return ImageSet(self.names, targets, tuple(str(k) for k in range(len(targets))))

    def compare(
        self, other: Self, alignment: Alignment | None = None, measure: Measure | None = None, *, called: str = "B"
    ) -> Comparison:
        raise NotRecordedError(f"{self.name}: an invented run, which is like no other")

    def turned_wrong(self, incident: Incident) -> TurnedWrong | None:
        return TurnedWrong(incident.id, incident.first - 10, incident.first, 4, 1.5, ((0, 3),), (1, 2, 5, 7))

    def limits(self) -> tuple[float, float]:
        return (0.0, float(max(1, self.records) * self.every))

    def record_iterations(self) -> IntArray:
        return np.arange(self.records) * self.every

    def validation_iterations(self) -> IntArray:
        return self.record_iterations()

    def _columns(self, axis: TimeAxis) -> IntArray:
        """Return the record that stands in the middle of each column."""
        middles = axis.first + (np.arange(axis.columns) + 0.5) * axis.column_span
        return np.clip((middles // self.every).astype(int), 0, self.records - 1)

    def curves(self, axis: TimeAxis) -> Curves:
        at = self._columns(axis)
        validation = self.errors.mean(axis=0)[at]
        train = np.clip(validation - 0.05, 0, 1)
        loss = 2.3 * validation + 0.01
        spread = np.stack([train - 0.02, train + 0.02]).clip(0, 1)
        return Curves(
            axis,
            {"validation_error": validation, "train_error": train, "loss": loss},
            {"train_error": spread, "loss": np.stack([loss * 0.9, loss * 1.1])},
        )

    def curves_at(self, iteration: int) -> dict[str, float]:
        return {"validation_error": float(self.errors[:, -1].mean()), "loss": 0.1234, "train_error": float("nan")}

    def stages(self) -> tuple[Stage, ...]:
        return (Stage(0, 0.1), Stage(self.records * self.every // 2, 0.01)) if self.records else ()

    def tree(self) -> tuple[TreeNode, ...]:
        return self.nodes

    def moved_heads(self, most):
        return ()

    def moved_channels(self, most):
        return ()

    def initial_std(self, layer):
        return None

    def node_series(self, nodes: Sequence[int], statistic: str, source: str, axis: TimeAxis) -> NodeSeries:
        values: FloatArray = self.weights[list(nodes)][:, self._columns(axis)]
        if statistic != "mean":
            values = np.abs(values)
        values = values.copy()
        values[:, 0] = np.nan
        return NodeSeries(axis, statistic, source, tuple(nodes), values, float(np.nanquantile(np.abs(values), 0.99)))

    def filter_courses(
        self, layer: int, statistic: str, axis: TimeAxis, count: int, first: Sequence[int] = ()
    ) -> FilterCourses:
        filters = np.arange(8)[:count]
        weights = np.abs(self.weights[layer][None, self._columns(axis)] * (1 + filters[:, None]))
        return FilterCourses(
            axis, layer, statistic, filters, 1 + filters / 2, weights, 1.0, weights.max(axis=1), weights.max(axis=0)
        )

    def clusters(self, count: int = 4) -> tuple[ClassCluster, ...]:
        order = np.argsort(self.errors.mean(axis=1), kind="stable")
        parts = [part.tolist() for part in np.array_split(order, min(count, len(order))) if len(part)]
        words = ("always easy", "early", "late", "hard")
        return tuple(ClassCluster(k, words[k], tuple(part)) for k, part in enumerate(parts))

    def class_errors(self, groups: Sequence[Sequence[int]], axis: TimeAxis) -> ClassErrors:
        at = self._columns(axis)
        values = np.stack([self.errors[list(group)].mean(axis=0)[at] for group in groups])
        return ClassErrors(axis, tuple(tuple(group) for group in groups), values)

    def anomalies(self, settings: AnomalySettings | None = None) -> tuple[Anomaly, ...]:
        return tuple(sorted(self.found, key=lambda a: (a.iteration, -a.score)))

    def not_judged(self, settings: AnomalySettings | None = None) -> tuple[Missing, ...]:
        """Return what the class rules lack."""
        judged = ClassFlips(self.validation_iterations(), np.zeros(0, int), lambda rule, window: pytest.fail("asked"))
        lacks = detector_named("class_rules").missing(values_of(judged, settings))
        return () if lacks is None else (lacks,)

    legends = staticmethod(legends)

    def incident_grid(self, choice: FilterChoice | None = None, order: str = "class") -> IncidentGrid:
        some = [k * self.every for k in (10, 20, 20, 35) if k < self.records]
        layers = self.structure().layers
        return grids.grid(grids.incidents(some, len(self.names), layers), layers, choice, order)

    def grid_cell(self, grid: IncidentGrid, row: int, layer: int) -> GridCell:
        return grids.cell(grid, row, layer)

    def cube(self, request: CubeRequest, choice: FilterChoice | None = None) -> Cube:
        return grids.cube(self.incident_grid(choice, request.order), request)

    def with_names(self, names: Sequence[str]) -> FakeQuery:
        """Put names from outside everywhere where a run has them."""
        self.names = tuple(names[k % len(names)] for k in range(len(self.names)))
        self.name = names[0]
        self.nodes = tuple(
            replace(node, label=names[k % len(names)], kind=names[1], name=names[2])
            for k, node in enumerate(self.nodes)
        )
        self.found = tuple(replace(a, note=names[k % len(names)]) for k, a in enumerate(self.found))
        self.happened = tuple(replace(one, note=names[2]) for one in _incidents(self))
        self.missing = (Gap(3, 5, names[0], names[2]),)
        return self


def _tree(stages: int, name: str) -> tuple[TreeNode, ...]:
    nodes: list[TreeNode] = []

    def add(label: str, depth: int, parent: int, layers: tuple[int, ...], kind: str, filters: int) -> int:
        at = len(nodes)
        is_layer = kind in ("Conv2d", "Linear")
        nodes.append(
            TreeNode(
                index=at,
                name=label,
                label=label,
                depth=depth,
                parent=parent,
                layer=layers[0] if is_layer else None,
                module=None if is_layer else at,
                layers=layers,
                kind=kind,
                detail="3×3" if kind == "Conv2d" else "",
                filters=filters,
                first_filter=0,
            )
        )
        return at

    add("conv1", 0, -1, (0,), "Conv2d", 8)
    for stage in range(stages):
        first = 1 + 2 * stage
        top = add(f"layer{stage + 1}", 0, -1, (first, first + 1), "Sequential", 32)
        block = add("0", 1, top, (first, first + 1), "BasicBlock", 32)
        add("conv1", 2, block, (first,), "Conv2d", 16)
        add("conv2", 2, block, (first + 1,), "Conv2d", 16)
    add("fc", 0, -1, (1 + 2 * stages,), "Linear", 10)
    return tuple(nodes)


def _incidents(query: FakeQuery) -> tuple[Incident, ...]:
    """Return two: a filter that is still off at the end, and a class that did worse for a while."""
    at, later, layer, name = 4 * query.every, 8 * query.every, query.nodes[0].name, query.names[1]
    filters = (Evidence("filter", at, layer=layer, filters=(3,), strength=9.0, amount=14.0),)
    drops = (Evidence("class", later, classes=(1,), strength=3.0, amount=0.5, usual=0.1),)
    told = f"the weights of filter 3 of {layer} changed by 14 times their norm in one record"
    lost = f"the error of class {name} rose from 10 % to 60 %: labels or data of class {name}"
    jump = Incident(f"incident-{at}-filter", Cause.FILTER, at, at, (layer,), (3,), (), filters, told, 1.5)
    drop = Incident(f"incident-{later}-class", Cause.CLASS, later, later, (), (), (1,), drops, lost, 0.5)
    return (replace(jump, persists=True), replace(drop, persists=False, moved_first="classes moved first"))


def _anomaly(position: int, generator: np.random.Generator, query: FakeQuery) -> Anomaly:
    label = int(generator.integers(len(query.names)))
    iteration = int(generator.integers(1, query.records)) * query.every
    direction = ("gained", "lost")[position % 2]
    count = int(generator.integers(10, 45))
    status, note = ("flagged", "look again") if position == 3 else ("new", "")
    return class_anomaly(iteration, direction, count / 50, label, status, note, count=count)
