"""Incidents of a run: its records go through the detectors once, and new ones go on from there."""

from __future__ import annotations

import contextlib
import time
from dataclasses import replace

import numpy as np

from dtui.analysis.detectors.stream.block import Block, Network
from dtui.analysis.detectors.stream.detector import OnlineDetector, Stream, online_detectors
from dtui.analysis.detectors.stream.trailing import WARM_UP
from dtui.analysis.incidents.build import incidents_of
from dtui.analysis.incidents.grouping import Clock
from dtui.analysis.rises.output_rows import output_layer
from dtui.errors import DtuiError
from dtui.model import (
    LARGEST,
    NORM_STATISTICS,
    BoolArray,
    Evidence,
    FloatArray,
    Incident,
    IntArray,
    Missing,
    RunStatus,
    was_logged,
    was_lost,
)
from dtui.query.data import RunData
from dtui.query.incidents.evidence_table import EvidenceTable
from dtui.query.incidents.persisting import persists

AT_ONCE = 64
"""Records that are read together: 3 statistics of 27,560 filters are 21 MB."""
WORTH_KEEPING_SECONDS = 0.2
BETWEEN = ("loss", "learning_rate", "gradient_norm")
"""What detectors look at between records, too."""
FIRST_VALIDATION = 15
"""Validations before which the class rule does not speak (FINDINGS §2)."""


class Incidents:
    """Answers `RunQuery.incidents`; keeps the detectors where they are, so that a live run costs its new records."""

    def __init__(self, data: RunData) -> None:
        """Take over the numbers of a run; nothing is read before it is asked for."""
        self._data = data
        self._begin()

    def _begin(self) -> None:
        data = self._data
        self._generation = data.generation
        self._streams: dict[str, tuple[OnlineDetector, Stream]] = {}
        self._evidence: list[Evidence] = []
        self._records = self._validations = self._triggers = 0
        self._positions = 0  # of all records and watches that were gone through
        self._network: Network | None = None

    def incidents(self) -> tuple[Incident, ...]:
        """Return all incidents without decisions, by iteration."""
        data = self._data
        evidence = self._all_evidence()
        clock = Clock(data.records[~data.is_watch], data.validations)
        is_over = data.reader.status() is not RunStatus.LIVE
        found = incidents_of(evidence, clock, network_of(data), data.reader.classes)
        return tuple(replace(one, is_final=one.is_final or is_over, persists=persists(one, data)) for one in found)

    def evidence(self) -> tuple[Evidence, ...]:
        """Return all that the detectors have found so far, in no order."""
        return tuple(self._all_evidence())

    def lacking(self) -> tuple[Missing, ...]:
        """Return one sentence for each thing that the run lacks and detectors need."""
        held = Held(self._data)
        if held.records < WARM_UP:
            early = f"{held.records:,} record{'s' * (held.records != 1)}, the detectors need {WARM_UP}"
            return (Missing(f"{early}; nothing is judged yet", is_early=True),)
        needs: dict[str, list[OnlineDetector]] = {}
        for detector in online_detectors():
            lacks = detector.lacks(held)
            if lacks:
                needs.setdefault(lacks, []).append(detector)
        missing = [
            Missing(
                f"{_listed([one.title for one in lacking])} could not be judged: {lacks}",
                is_covered=all(one.is_covered for one in lacking),
            )
            for lacks, lacking in sorted(needs.items())
        ]
        if 0 < held.validations < FIRST_VALIDATION:
            few = f"{held.validations:,} validation{'s' * (held.validations != 1)}"
            missing.append(Missing(f"{few}, classes need {FIRST_VALIDATION}; they are not judged yet", is_early=True))
        return tuple(missing)

    def checks(self) -> tuple[str, ...]:
        """Return the titles of the detectors that lack nothing."""
        held = Held(self._data)
        return tuple(one.title for one in online_detectors() if not one.lacks(held) and held.records >= WARM_UP)

    # --- going on
    def _all_evidence(self) -> list[Evidence]:
        data = self._data
        if data.generation != self._generation:
            self._begin()
        if not self._streams:
            kept = None if data.reader.status() is RunStatus.LIVE else self._table().read()
            if kept is not None:
                return kept
            self._network = network_of(data)
            self._streams = {one.name: (one, one.begin(self._network)) for one in online_detectors()}
        begin, before = time.monotonic(), self._positions + self._validations
        self._catch_up()
        if not before and time.monotonic() - begin > WORTH_KEEPING_SECONDS and not data.detector_faults:
            self._keep()
        return self._evidence

    def _catch_up(self) -> None:
        data = self._data
        records, validations, triggers = len(data.records), len(data.validations), len(data.triggers)
        while (self._positions, self._validations, self._triggers) != (records, validations, triggers):
            window = slice(self._positions, min(records, self._positions + AT_ONCE))
            is_last = window.stop == records
            stop = np.inf if is_last else float(data.records[window.stop - 1])
            judged = slice(self._validations, max(self._validations, self._until(data.validations, stop)))
            fired = [at for at in range(self._triggers, triggers) if data.triggers[at].iteration <= stop]
            fired = fired[: next((k for k, at in enumerate(fired) if at != self._triggers + k), len(fired))]
            block = self._read(window, judged, slice(self._triggers, self._triggers + len(fired)))
            self._hear(block)
            self._records += len(block.iterations)
            self._positions, self._validations = window.stop, judged.stop
            self._triggers += len(fired)

    @staticmethod
    def _until(iterations: IntArray, stop: float) -> int:
        return int(np.searchsorted(iterations, stop, side="right"))

    def _hear(self, block: Block) -> None:
        """Let every detector look at a block; one that fails is told, and asked no more."""
        for name, (_, stream) in list(self._streams.items()):
            try:
                self._evidence += stream.add(block)
            except (DtuiError, OSError, MemoryError):
                raise
            except Exception as error:  # noqa: BLE001 - whatever one detector does, the others are heard
                why = " ".join(str(error).split())
                told = (
                    f"detector {name} failed and tells nothing more: {type(error).__name__}{': ' if why else ''}{why}"
                )
                self._data.detector_faults[f"online {name}"] = told
                del self._streams[name]

    def _read(self, window: slice, judged: slice, fired: slice) -> Block:
        data, reader = self._data, self._data.reader
        structure = data.structure
        regular = ~data.is_watch[window]
        every = slice(0, structure.filters)
        layers = len(structure.layers)

        def filters(statistic: str) -> FloatArray:
            if not data.records_filters(statistic) or not regular.any():
                return np.full((structure.filters, int(regular.sum())), np.nan, dtype=np.float32)
            return _columns(reader.read_filters(statistic, every, window), regular)

        def of_layers(source: str, statistic: str) -> FloatArray:
            if not data.records_layers(source, statistic) or not regular.any():
                return np.full((layers, int(regular.sum())), np.nan, dtype=np.float32)
            return _columns(reader.read_layers(source, statistic, window), regular)

        def bad_filters(layer: int, record: int) -> tuple[int, ...]:
            at = window.start + int(np.flatnonzero(regular)[record])
            if not data.records_filters("nonfinite"):
                return ()
            counts = reader.read_filters("nonfinite", structure.layers[layer].filter_rows, slice(at, at + 1))[:, 0]
            return tuple(np.flatnonzero(np.nan_to_num(counts)).tolist())

        def taken_for(label: int, some: slice) -> IntArray:
            first = int(data.layout.first_image[label])
            return data.labels(slice(first, first + int(data.class_sizes[label])), some)

        return Block(
            layers=structure.layers,
            first=self._records,
            iterations=data.records[window][regular],
            update_ratio=filters("update_ratio"),
            gradient_norm=filters("gradient_norm"),
            layer_weights=of_layers("weights", "norm2"),
            layer_updates=of_layers("updates", "norm2"),
            layer_gradients=of_layers("gradients", "norm2"),
            bad_weights=of_layers("weights", "nonfinite"),
            bad_gradients=of_layers("gradients", "nonfinite"),
            loss=self._scalar("loss", window, regular),
            learning_rate=self._scalar("learning_rate", window, regular),
            largest={name: self._scalar(LARGEST[name], window, regular, is_bad=np.nan) for name in BETWEEN},
            validations=data.validations[judged],
            errors=data.class_errors()[:, judged],
            triggers=data.triggers[fired],
            norms=self._norms(window, regular),
            bad_filters=bad_filters,
            taken_for=taken_for,
        )

    def _norms(self, window: slice, regular: BoolArray) -> dict[str, FloatArray]:
        """Return the statistics of normalisation layers that the run holds."""
        data = self._data
        if not data.norm_layers or not regular.any():
            return {}
        held = [name for name in NORM_STATISTICS if data.records_norms(name)]
        return {name: _columns(data.reader.read_norms(name, window), regular) for name in held}

    def _scalar(self, name: str, window: slice, regular: BoolArray, is_bad: float = np.inf) -> FloatArray:
        """Return a scalar at each record, `is_bad` where it was no number, NaN where none was logged or it is lost."""
        reader = self._data.reader
        if name not in reader.scalar_names():
            return np.full(int(regular.sum()), np.nan)
        values = np.array(reader.read_scalar(name, window)[regular], dtype=np.float64)
        logged = was_logged(values) & ~was_lost(values)
        values[logged & ~np.isfinite(values)] = is_bad
        values[~logged] = np.nan
        return values

    # --- keeping
    def _table(self) -> EvidenceTable:
        return EvidenceTable(self._data)

    def _keep(self) -> None:
        if self._data.reader.status() is not RunStatus.LIVE:
            with contextlib.suppress(OSError, DtuiError):  # a folder that cannot be written to, a full disk
                self._table().write(self._evidence)


class Held:
    """What a run holds, as detectors ask for it."""

    def __init__(self, data: RunData) -> None:
        """Look at a run."""
        self._data = data
        self.records = int(np.count_nonzero(~data.is_watch))
        self.validations = len(data.validations)

    @property
    def has_gradients(self) -> bool:
        """Whether any of the last records holds gradients."""
        data = self._data
        if not data.records_layers("gradients", "norm2"):
            return False
        last = data.reader.read_layers(
            "gradients", "norm2", slice(max(0, len(data.records) - AT_ONCE), len(data.records))
        )
        return bool(np.isfinite(last).any())

    @property
    def has_loss(self) -> bool:
        """Whether a loss was logged."""
        return "loss" in self._data.reader.scalar_names()

    @property
    def has_learning_rate(self) -> bool:
        """Whether a learning rate was recorded."""
        return "learning_rate" in self._data.reader.scalar_names()

    @property
    def has_watches(self) -> bool:
        """Whether the flight recorder left anything."""
        return bool(self._data.is_watch.any() or self._data.triggers)

    @property
    def has_norms(self) -> bool:
        """Whether normalisation layers are recorded, or the network is known to have none."""
        data = self._data
        return bool(data.norm_layers) or data.records_norms("scale_shift")


def network_of(data: RunData) -> Network:
    """Return what detectors are told of a run before its first record."""
    norms = data.norm_layers
    names = tuple(norm.name for norm in norms)
    layers, sizes = data.structure.layers, data.class_sizes
    output = output_layer(layers, len(sizes)) if data.judging is None else None  # groups of items have no rows
    has_rate = LARGEST["learning_rate"] in data.reader.scalar_names()
    return Network(layers, sizes, names, tuple(norm.layer for norm in norms), output, has_rate)


def _columns(values: FloatArray, regular: BoolArray) -> FloatArray:
    return values if regular.all() else values[:, regular]


def _listed(titles: list[str]) -> str:
    return titles[0] if len(titles) == 1 else f"{', '.join(titles[:-1])} and {titles[-1]}"
