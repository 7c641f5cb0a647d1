"""Moves measured statistics to their places in a run: a resumed run keeps the list that it began with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dtui.errors import UsageError
from dtui.model import Column
from dtui.model.statistics import Rows
from dtui.store.format.contents import Contents, contents_of_today
from dtui.store.format.frames import TRACK_FIELDS, Field


class Arrangement:
    """The place of each measured statistic in the frames of a run."""

    def __init__(self, path: Path, held: Contents) -> None:
        """Compare the list of the run at `path` with what is measured."""
        today = contents_of_today(norms=1, parameters=1, adapters=1, channels=1)
        filters = _Places(tuple(held.filters), tuple(today.filters))
        nodes = (_Places(held.sources, today.sources), _Places(tuple(held.layers), tuple(today.layers)))
        tracks = {
            TRACK_FIELDS[kind]: (_Places(tuple(held.of(kind)), tuple(today.of(kind))),)
            for kind in map(Rows, TRACK_FIELDS)
        }
        self._path = path
        self._axes = {"filters": (filters,), "layers": nodes, "modules": nodes, **tracks}

    def arrange(self, field: Field, values: NDArray[Any] | None) -> NDArray[Any]:
        """Return a field as a frame stores it, without statistics that the run lacks.

        What is not measured is NaN, or the largest number of an unsigned type.

        Raises:
            UsageError: The shape does not fit the run's structure.
        """
        if values is None:
            return np.full(field.shape, Column(field.name, field.dtype.str).missing, field.dtype)
        for axis, places in enumerate(self._axes.get(field.name, ())):
            if places.are_others and values.ndim > axis and values.shape[axis] == places.measured:
                values = places.take(values, axis)
        values = np.ascontiguousarray(values, field.dtype)
        if values.shape != field.shape:
            raise UsageError(f"{self._path}: {field.name} has shape {values.shape}, this run needs {field.shape}")
        return values


class _Places:
    """The position of each name of a run's axis on the measured axis; -1 if it is not measured."""

    def __init__(self, held: tuple[str, ...], measured: tuple[str, ...]) -> None:
        self.are_others = held != measured
        self.measured = len(measured)
        self._at = np.array([measured.index(name) if name in measured else -1 for name in held], np.int64)

    def take(self, values: NDArray[Any], axis: int) -> NDArray[Any]:
        """Return the values of the names that the run holds."""
        taken = np.take(values, self._at, axis=axis)
        np.moveaxis(taken, axis, 0)[self._at < 0] = np.nan
        return taken
