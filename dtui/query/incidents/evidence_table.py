"""Keeps the evidence of an ended run as a table of numbers, so that the next viewer need not read the run again.

Owns the meaning of its columns. A kept table is data from outside: one that cannot belong to this run is ignored.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence

import numpy as np

from dtui.analysis.detectors.stream.detector import MOST_CLASSES, MOST_FILTERS, online_detectors
from dtui.model import Evidence
from dtui.query.data import RunData
from dtui.version import __version__

VERSION = 5
"""Of the columns and of what detectors find: another one finds nothing that was kept."""
RULES = (
    *("", "weights", "gradients", "loss", "watch", "norm", "change", "gradient", "update", "filter"),
    *("mean_shift", "variance_shift", "scale_shift", "zero_scales", "stays", "spike"),
    *("untaught", "missing", "unseen"),
)
FIGURES = ("strength", "share", "times", "amount", "usual", "concentration", "frequency")
_NONE = -1
_HEAD = 7 + len(FIGURES)
COLUMNS = _HEAD + 2 + MOST_FILTERS + MOST_CLASSES


class EvidenceTable:
    """The kept evidence of one run."""

    def __init__(self, data: RunData) -> None:
        """Prepare for a run as it is now."""
        self._data = data
        self._layers = [layer.name for layer in data.structure.layers]
        self._norms = [norm.name for norm in data.norm_layers]
        self._names = [one.name for one in online_detectors()]

    def read(self) -> list[Evidence] | None:
        """Return the evidence kept for the run in its present state; None if there is no valid table."""
        # Each of incidents, what shows them and what is not judged begins here.
        key = self._key()
        found = self._data.remembered(("kept evidence", *key.values()), lambda: self._read(key))
        return None if found is None else [*found]

    def _read(self, key: dict[str, object]) -> list[Evidence] | None:
        table = self._data.reader.findings.read(key, COLUMNS)
        try:
            return None if table is None else [self._evidence(row) for row in table.tolist()]
        except (ValueError, IndexError):
            return None

    def write(self, evidence: Sequence[Evidence]) -> None:
        """Keep the evidence of the run in its present state.

        Raises:
            OSError: It cannot be written.
        """
        rows = [self._row(one) for one in evidence]
        self._data.reader.findings.write(self._key(), np.array(rows, dtype=np.int64).reshape(-1, COLUMNS))

    def _key(self) -> dict[str, object]:
        data = self._data
        seen = np.concatenate([data.records, data.validations]).astype("<i8")
        return {
            "evidence": VERSION,
            "dtui": __version__,
            "records": len(data.records),
            "validations": len(data.validations),
            "triggers": len(data.triggers),
            "iterations": zlib.crc32(seen.tobytes()),
            "layers": zlib.crc32("\n".join(self._layers).encode("utf-8", "surrogatepass")),
            "faults": zlib.crc32("\n".join(data.reader.faults).encode("utf-8", "surrogatepass")),
            "detectors": " ".join(self._names),
        }

    def _row(self, one: Evidence) -> list[int]:
        row = [self._names.index(one.detector), RULES.index(one.rule), one.iteration]
        row.append(_NONE if one.known is None else one.known)
        row.append(_NONE if one.layer is None else self._layers.index(one.layer))
        row.append(_NONE if one.norm is None else self._norms.index(one.norm))
        row.append(_NONE if one.count is None else one.count)
        row += [_bits(getattr(one, name)) for name in FIGURES]
        row += [len(one.filters), *one.filters, *[_NONE] * (MOST_FILTERS - len(one.filters))]
        return [*row, len(one.classes), *one.classes, *[_NONE] * (MOST_CLASSES - len(one.classes))]

    def _evidence(self, row: list[int]) -> Evidence:
        detector, rule, iteration, known, layer, norm, count = row[:7]
        figures = dict(zip(FIGURES, (_value(bits) for bits in row[7:_HEAD]), strict=True))
        strength = figures.pop("strength")
        filters = _counted(row[_HEAD : _HEAD + 1 + MOST_FILTERS])
        classes = _counted(row[_HEAD + 1 + MOST_FILTERS :])
        if min(detector, rule) < 0 or min(layer, norm, known, count) < _NONE or strength is None:
            raise ValueError("a number out of its range")
        sizes = self._data.class_sizes
        most = 0 if layer == _NONE else self._data.structure.layers[layer].filters
        if any(number >= most for number in filters) or any(label >= len(sizes) for label in classes):
            raise ValueError("a filter or class that is not there")
        return Evidence(
            self._names[detector],
            iteration,
            RULES[rule],
            None,
            None if layer == _NONE else self._layers[layer],
            filters,
            classes,
            strength,
            None if count == _NONE else count,
            known=None if known == _NONE else known,
            norm=None if norm == _NONE else self._norms[norm],
            **figures,
        )


def _bits(value: float | None) -> int:
    """Return a number as the bits of its float64; NaN stands for none."""
    return int(np.float64(math.nan if value is None else value).view(np.int64))


def _value(bits: int) -> float | None:
    value = float(np.int64(bits).view(np.float64))
    if math.isinf(value):
        raise ValueError("an infinite number")
    return None if math.isnan(value) else value


def _counted(numbers: list[int]) -> tuple[int, ...]:
    """Read a count, then return that many numbers, each at least 0.

    Raises:
        ValueError: There are not so many, or one is negative.
    """
    count, values = numbers[0], numbers[1:]
    if not 0 <= count <= len(values) or any(value < 0 for value in values[:count]):
        raise ValueError("a list that does not fit")
    return tuple(values[:count])
