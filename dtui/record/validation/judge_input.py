"""Takes what `Recorder.judge` is called with, and reads it on the writer's thread.

Owns what may be given: n ids and n scores, groups and labels as integers or strings. Nothing here waits for a device
before `read`; there, what all calls of a validation gave is brought to the host together.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dtui.model.judging import BY_LABEL, BY_TENTH, BY_THRESHOLD, HIGHER, LONGEST_NAME, LOWER, SCORE

Values = Tensor | NDArray[Any]


class UnusableJudgementError(ValueError):
    """What `judge` was called with cannot be used; the text says what was given and what to do."""


@dataclass(frozen=True, eq=False, slots=True)
class Given:
    """What one call of `Recorder.judge` was given; see there.

    Attributes:
        is_within: Whether the call is within the context of `Recorder.validation`.
    """

    ids: Any
    scores: Any
    group: Any
    label: Any
    threshold: Any
    better: Any
    name: Any
    images: Tensor | None
    spread: bool | None
    is_within: bool


@dataclass(frozen=True, slots=True)
class Terms:
    """What decides whether an item is right; the same in all calls of a run.

    Attributes:
        rule: Of `dtui.model.judging.RULES`.
        threshold: Of the rule by a threshold, else None.
        better: HIGHER or LOWER.
        name: Of the score.
        has_scores: Whether there are scores.
    """

    rule: str
    threshold: float | None
    better: str
    name: str
    has_scores: bool

    @classmethod
    def of(cls, given: Given) -> Terms:
        """Return the terms that a call states.

        Raises:
            UnusableJudgementError: They make no sense.
        """
        scores, label, threshold, better, name = (
            *(given.scores, given.label, given.threshold),
            *(given.better, given.name),
        )
        if better not in (HIGHER, LOWER):
            raise UnusableJudgementError(f"better={better!r}: give {HIGHER!r}, or {LOWER!r} for losses")
        if scores is None and threshold is not None:
            raise UnusableJudgementError(f"threshold={threshold!r} without scores; give a number for each id")
        if scores is None and label is None:
            raise UnusableJudgementError("neither scores nor labels; give a number for each id")
        if isinstance(threshold, Tensor) and threshold.numel() == 1 and threshold.device.type == "cpu":
            threshold = threshold.item()
        is_number = isinstance(threshold, numbers.Real) and not isinstance(threshold, bool)
        if threshold is not None and not (is_number and math.isfinite(float(threshold))):
            raise UnusableJudgementError(f"threshold={threshold!r}: give one finite number, or None")
        if name is not None and not (isinstance(name, str) and 1 <= len(name) <= LONGEST_NAME):
            raise UnusableJudgementError(f"name={str(name)[:LONGEST_NAME]!r}: give 1 to {LONGEST_NAME} characters")
        rule = BY_THRESHOLD if threshold is not None else BY_TENTH if label is None else BY_LABEL
        number = None if threshold is None else float(threshold)
        return cls(rule, number, better, name or SCORE, scores is not None)


@dataclass(frozen=True, eq=False, slots=True)
class Call:
    """One call of `judge` about n items; tensors are on their device.

    Attributes:
        ids: Shape (n,), integers or strings.
        scores: Shape (n,), numbers; None where there are none.
        groups: Shape (n,), integers or strings; None for one group.
        labels: Shape (n,), integers or strings; None for none.
    """

    ids: Values
    scores: Values | None
    groups: Values | None
    labels: Values | None

    @classmethod
    def of(cls, given: Given) -> Call:
        """Return the call with copies of what it was given, so that nothing changes it later.

        Raises:
            UnusableJudgementError: The lengths differ, or something is neither a number nor a name.
        """
        known = _names("ids", given.ids)
        count = len(known)
        judged = None if given.scores is None else _numbers(given.scores)
        group, label = (
            None if one is None else _names(what, one) for what, one in (("group", given.group), ("label", given.label))
        )
        for what, one in (("scores", judged), ("groups", group), ("labels", label)):
            if one is not None and len(one) != count and not (what == "groups" and len(one) == 1):
                raise UnusableJudgementError(f"{count} ids, {len(one)} {what}; give one of each an item")
        return cls(known, judged, group, label)


@dataclass(frozen=True, eq=False, slots=True)
class Items:
    """Everything that the calls of one validation gave, on the host; n items in the order of the calls.

    Attributes:
        ids: Shape (n,), int64 or strings.
        scores: Shape (n,), float32; all NaN where there are none.
        groups: Shape (n,), int64 or strings; None for one group.
        labels: Shape (n,), int64 or strings; None for none.
    """

    ids: NDArray[Any]
    scores: NDArray[np.float32]
    groups: NDArray[Any] | None
    labels: NDArray[Any] | None

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return what is there by name, for the exchange between processes."""
        parts = {"ids": self.ids, "scores": self.scores, "groups": self.groups, "labels": self.labels}
        return {name: part for name, part in parts.items() if part is not None}

    @classmethod
    def merged(cls, parts: Sequence[dict[str, NDArray[Any]]]) -> Items:
        """Return the items of all processes.

        Raises:
            UnusableJudgementError: They gave different things.
        """
        joined = {name: _joined(name, [part.get(name) for part in parts]) for name in ("ids", "groups", "labels")}
        ids = joined["ids"]
        assert ids is not None
        return cls(ids, np.concatenate([part["scores"] for part in parts]), joined["groups"], joined["labels"])


def read(calls: Sequence[Call]) -> Items:
    """Bring all calls to the host; this waits for their devices.

    Raises:
        UnusableJudgementError: The calls do not fit together.
    """
    ids = _joined("ids", _fetched([call.ids for call in calls]))
    assert ids is not None
    counts = [len(call.ids) for call in calls]
    groups = [
        one if one is None or len(one) == count else np.repeat(one, count)  # one for all
        for count, one in zip(counts, _fetched([call.groups for call in calls]), strict=True)
    ]
    scores = [
        np.full(count, np.nan, np.float32) if one is None else one.astype(np.float32)
        for count, one in zip(counts, _fetched([call.scores for call in calls]), strict=True)
    ]
    labels = _fetched([call.labels for call in calls])
    return Items(ids, np.concatenate(scores), _joined("groups", groups), _joined("labels", labels))


def _fetched(parts: Sequence[Values | None]) -> list[NDArray[Any] | None]:
    """Return parts as arrays on the host; those of one device and type are copied from it in one piece."""
    found: list[NDArray[Any] | None] = [None if isinstance(part, Tensor) else part for part in parts]
    places: dict[tuple[torch.device, torch.dtype], list[int]] = {}
    for place, part in enumerate(parts):
        if isinstance(part, Tensor):
            places.setdefault((part.device, part.dtype), []).append(place)
    for together in places.values():
        tensors = [part for place in together if isinstance(part := parts[place], Tensor)]
        array = torch.cat(tensors).cpu().numpy()
        stops = np.cumsum([len(one) for one in tensors])[:-1]
        for place, piece in zip(together, np.split(array, stops), strict=True):
            found[place] = piece
    return found


def _joined(what: str, parts: Sequence[NDArray[Any] | None]) -> NDArray[Any] | None:
    """Return parts one after the other: all integers, or all strings."""
    there = [part for part in parts if part is not None]
    if not there:
        return None
    kinds = {part.dtype.kind for part in there if len(part)}
    if len(there) < len(parts) or len(kinds) > 1:
        raise UnusableJudgementError(f"{what} are given in one call and not in another, or are of two kinds")
    return np.concatenate(there)


def _numbers(values: Any) -> Values:
    """Return scores as a copy, shape (n,): of shape (n,) or (n, 1), or one number."""
    if isinstance(values, Tensor):
        if values.is_complex() or values.is_quantized:
            raise UnusableJudgementError(f"scores of {values.dtype}; give real numbers")
        flat = _flat("scores", values.detach())
        return flat.float().clone() if flat.dtype == torch.float32 else flat.float()
    if isinstance(values, list | tuple) and any(isinstance(one, Tensor) for one in values):
        return _numbers(_stacked(values))
    array = _as_array("scores", values)
    if array.dtype.kind not in "iufb":
        raise UnusableJudgementError(f"scores of type {array.dtype}; give numbers")
    return array.astype(np.float32)


def _stacked(values: Sequence[Any]) -> Tensor:
    """Return numbers, some of which are tensors, as one tensor where the first of these is."""
    device = next(one.device for one in values if isinstance(one, Tensor))
    return torch.stack([torch.as_tensor(one, device=device).detach().reshape(()) for one in values])


def _names(what: str, values: Any) -> Values:
    """Return ids, groups or labels as a copy, shape (n,), int64 or strings."""
    if isinstance(values, Tensor):
        if values.is_floating_point() or values.is_complex() or values.dtype == torch.bool:
            raise UnusableJudgementError(f"{what} of {values.dtype}; give integers or strings")
        return _flat(what, values.detach()).long().clone()
    if isinstance(values, list | tuple) and any(isinstance(one, Tensor) for one in values):
        return _names(what, _stacked(values))
    array = _as_array(what, values)
    if array.dtype.kind in "iu":
        return array.astype(np.int64)
    if array.dtype.kind in "UO" and all(isinstance(one, str) for one in array.tolist()):
        return array.astype(np.str_)
    if not len(array):
        return array.astype(np.int64)
    raise UnusableJudgementError(f"{what} of type {array.dtype}; give integers or strings, one an item")


def _flat(what: str, values: Tensor) -> Tensor:
    if values.dim() > 1 and any(side != 1 for side in values.shape[1:]):
        raise UnusableJudgementError(f"{what} of shape {tuple(values.shape)}; give one an item, shape (n,)")
    return values.reshape(-1)


def _as_array(what: str, values: Any) -> NDArray[Any]:
    try:
        array = np.atleast_1d(np.asarray(values))
    except (ValueError, TypeError) as error:
        raise UnusableJudgementError(f"{what} cannot be read ({error}); give one an item") from error
    if array.ndim > 1:
        if any(side != 1 for side in array.shape[1:]):
            raise UnusableJudgementError(f"{what} of shape {array.shape}; give one an item, shape (n,)")
        array = array.reshape(-1)
    return array
