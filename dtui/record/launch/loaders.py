"""Tells what a training's loaders say of it: how long an epoch is, the names of the classes, which data are whose."""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from typing import Any

from torch import nn
from torch.utils.data import DistributedSampler, RandomSampler, SequentialSampler, Subset

from dtui.record.network.layers import find_layers
from dtui.record.start.arguments import as_class_names, check_classes

MOST_APART = 100
"""Iterations between two records at most, where nobody says how many: the Recorder's own default."""
_LEAST_APART = 5
_RECORDS_AN_EPOCH = 10
_USUAL = (RandomSampler, SequentialSampler, DistributedSampler)


def choose_every(updates: int | None) -> int:
    """Return how many iterations lie between two records: about ten records an epoch, and 5 to 100 iterations.

    Args:
        updates: In an epoch; None if unknown.
    """
    return MOST_APART if not updates else max(_LEAST_APART, min(MOST_APART, updates // _RECORDS_AN_EPOCH))


def length_of(loader: Any) -> int | None:
    """Return the number of batches of a loader, None if it does not know it."""
    try:
        return len(loader)
    except Exception:  # noqa: BLE001 - a stream, or a user's class
        return None


def class_names(loader: Any, model: nn.Module) -> tuple[str, ...] | None:
    """Return the names of the classes that a loader's data set has, in label order; None if it names none that fit."""
    try:
        names = _names_in(getattr(loader, "dataset", None))
        if not isinstance(names, list | tuple) or not all(isinstance(name, str | int) for name in names):
            return None
        checked = as_class_names(names)
        check_classes(checked, model, find_layers(model))
    except Exception:  # noqa: BLE001 - they do not fit, or it is somebody's data set
        return None
    return checked


def _names_in(dataset: Any) -> Any:
    """Return what a data set says of its classes; None for nothing."""
    while isinstance(dataset, Subset):
        dataset = dataset.dataset
    names = getattr(dataset, "classes", None)
    if names is not None:
        return names
    features = getattr(dataset, "features", None)
    kinds = [features.get(key) for key in ("label", "labels")] if isinstance(features, Mapping) else []
    return next((found for kind in kinds if (found := getattr(kind, "names", None)) is not None), None)


class DataOf:
    """Which data a loader gives out: its data set, and a sampler that chooses among the data. It keeps neither."""

    def __init__(self, loader: Any) -> None:
        dataset, sampler = getattr(loader, "dataset", None), getattr(loader, "sampler", None)
        self._dataset, self._kind = _Known(dataset), (type(dataset), length_of(dataset))
        self._sampler = None if sampler is None or isinstance(sampler, _USUAL) else _Known(sampler)

    def is_same(self, other: DataOf) -> bool:
        """Whether two loaders give out the same data. A data set that is gone counts as one of its type and length."""
        if self._dataset.is_gone or other._dataset.is_gone:
            return self._kind == other._kind
        if self._dataset.identity != other._dataset.identity:
            return False
        return self._sampler is None or other._sampler is None or self._sampler.identity == other._sampler.identity


class _Known:
    """An object that is known again while it exists."""

    def __init__(self, thing: Any) -> None:
        self.identity = id(thing)
        try:
            self._reference: Any = weakref.ref(thing)
        except TypeError:  # a list: its identity has to do
            self._reference = lambda: True

    @property
    def is_gone(self) -> bool:
        return self._reference() is None
