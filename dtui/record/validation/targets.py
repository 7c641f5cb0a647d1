"""Finds the true labels and the inputs in a batch, wherever a loader puts them.

A label is one whole number per image. If several parts of a batch could be the labels, the first is taken, and one
warning says how to choose another: `recorder.validation(loader, target=…)`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dtui.model import IntArray
from dtui.record.writing.warn import warn_once

Place = int | str | Callable[[Any], Any]
"""Where something is in a batch or in an output: an index, a key or an attribute, or what returns it."""

_TARGET_NAMES = ("labels", "label", "targets", "target", "y")
_LIKE_TARGETS = ("label", "target", "class")
_IMAGE_NAMES = ("pixel_values", "images", "image", "img", "inputs", "data", "x")
_ASK = "name them by recorder.validation(loader, target=…), an index, a key or a function of the batch"


class UnusableLoaderError(ValueError):
    """The loader or the model does not give what a validation needs; the text says what to do."""


def pick(thing: Any, place: Place) -> Any:
    """Return the part of an object at a place.

    Raises:
        UnusableLoaderError: There is nothing at this place.
    """
    if callable(place):
        return place(thing)
    try:
        if isinstance(place, str) and not isinstance(thing, Mapping):
            return getattr(thing, place)
        return thing[place]
    except (LookupError, TypeError, AttributeError) as error:
        raise UnusableLoaderError(
            f"validation: nothing at {place!r} in a {type(thing).__name__} ({type(error).__name__}: {error})"
        ) from error


def targets_of(batch: Any, place: Place | None = None, drawn: IntArray | None = None) -> IntArray:
    """Return the true labels of a batch, shape (n,), int64.

    Args:
        batch: As the loader gave it out.
        place: Where they are; None looks for them: under a usual name, else behind the inputs.
        drawn: Positions in the data set that the sampler drew for it, which are not labels; None if unknown.

    Raises:
        UnusableLoaderError: There are none, or not one whole number per image.
    """
    if place is not None:
        return labels_in(pick(batch, place), f"target={place!r}" if not callable(place) else "target=…")
    found = list(_named(batch, "batch"))
    if not found:
        raise UnusableLoaderError(f"validation loader: a batch of type {type(batch).__name__} holds no labels; {_ASK}")
    refused: list[UnusableLoaderError] = []
    fitting: list[tuple[str, IntArray, bool]] = []
    for where, values in found:
        try:
            labels = labels_in(values, where)
        except UnusableLoaderError as error:
            refused.append(error)
            continue
        if len(found) == 1 or drawn is None or not np.array_equal(labels, drawn):
            fitting.append((where, labels, _is_float(values)))
    if not fitting:
        raise _most_telling(refused)
    place_taken, labels, _ = min(fitting, key=lambda one: one[2])  # integers before floats, which may be weights
    others = [
        where
        for where, other, is_float in fitting
        if is_float == min(one[2] for one in fitting) and not np.array_equal(other, labels)
    ]
    if others:
        warn_once(
            "targets",
            f"validation: {place_taken} is taken as the true labels, though {', '.join(others)} could be; {_ASK}",
        )
    return labels


def labels_in(values: Any, where: str = "targets") -> IntArray:
    """Return labels as integers, shape (n,): of shape (n,), (n, 1) or one-hot, of any type that holds whole numbers.

    Args:
        values: A tensor, an array or a list.
        where: Their name in messages.

    Raises:
        UnusableLoaderError: They are not one whole number per image.
    """
    array = _as_array(values)
    if array is None or array.ndim == 0 or array.dtype.kind not in "iufb":
        raise UnusableLoaderError(f"validation: {where} holds no labels, one whole number an image; {_ASK}")
    if array.ndim > 1:
        array = array.reshape(len(array), -1)
        if array.shape[1] > 1:
            return _from_one_hot(array, where)
        array = array[:, 0]
    labels: IntArray = array.astype(np.int64) if np.isfinite(array).all() else np.zeros(len(array), dtype=np.int64)
    if not np.array_equal(labels, array):
        raise UnusableLoaderError(f"validation: {where} holds numbers that are not whole, and so no labels; {_ASK}")
    return labels


def _from_one_hot(array: NDArray[Any], where: str) -> IntArray:
    is_one = array == 1
    if not (is_one | (array == 0)).all():
        raise UnusableLoaderError(f"validation: {where} of shape {array.shape} holds no labels; {_ASK}")
    if not (is_one.sum(axis=1) == 1).all():
        raise UnusableLoaderError(
            f"validation: {where} of shape {array.shape} has several true labels an image, or none; "
            "dtui judges one label an image; call recorder.judge for several"
        )
    labels: IntArray = is_one.argmax(axis=1).astype(np.int64)
    return labels


def images_of(batch: Any, count: int) -> Tensor | None:
    """Return the inputs of a batch, shape (count, channels, height, width); None if it has none of that shape."""
    candidate: Any = None
    if isinstance(batch, Mapping):
        candidate = next((batch[name] for name in _IMAGE_NAMES if name in batch), None)
    elif isinstance(batch, Sequence) and len(batch):
        if isinstance(batch[0], Mapping):
            return images_of(batch[0], count)
        candidate = next((part for part in batch if isinstance(part, Tensor) and part.dim() == 4), None)
    fits = isinstance(candidate, Tensor) and candidate.dim() == 4 and len(candidate) == count
    return candidate.detach() if fits and isinstance(candidate, torch.Tensor) else None


def _named(thing: Any, where: str, depth: int = 0) -> Iterator[tuple[str, Any]]:
    """Yield candidates for the labels, each with its place as a Python expression."""
    if _is_leaf(thing):
        if depth:
            yield where, thing
        return
    if isinstance(thing, Mapping):
        names = [name for name in _TARGET_NAMES if name in thing] or [
            name for name in thing if isinstance(name, str) and any(like in name.lower() for like in _LIKE_TARGETS)
        ]
        parts = [(f"{where}[{name!r}]", thing[name]) for name in names]
    elif names := [name for name in _TARGET_NAMES if hasattr(thing, name) and not isinstance(thing, str | bytes)]:
        parts = [(f"{where}.{name}", getattr(thing, name)) for name in names]
    elif isinstance(thing, Sequence) and not isinstance(thing, str | bytes):
        first = 0 if depth or len(thing) == 1 else 1
        parts = [(f"{where}[{place}]", thing[place]) for place in range(first, len(thing))]
    else:
        return
    if depth < 2:
        for name, part in parts:
            yield from _named(part, name, depth + 1)


def _is_leaf(thing: Any) -> bool:
    """Whether something is an array of numbers, or a list of them."""
    if isinstance(thing, Tensor | np.ndarray):
        return True
    return isinstance(thing, list | tuple) and bool(thing) and all(isinstance(one, int | float) for one in thing)


def _is_float(values: Any) -> bool:
    if isinstance(values, Tensor):
        return values.is_floating_point()
    return np.asarray(values).dtype.kind == "f"


def _as_array(values: Any) -> NDArray[Any] | None:
    if isinstance(values, Tensor):
        if values.is_complex():
            return None
        values = values.detach().cpu()
        found: NDArray[Any] = (values.double() if values.is_floating_point() else values).numpy()
        return found
    try:
        return np.asarray(values)
    except ValueError:
        return None


def _most_telling(refused: Sequence[UnusableLoaderError]) -> UnusableLoaderError:
    """Return the most useful reason why there are no labels: "several per image" is better than "none"."""
    return next((error for error in refused if "several" in str(error)), refused[0])
