"""Reads the norms of all parameters outside the layers, in a few operations for all of them together.

Owns the copy of their values at the record before, and the formulas. Nothing here waits for a device.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from functools import cached_property, partial
from operator import attrgetter, is_
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from dtui.model import PARAMETER_STATISTICS, FloatArray, IntArray
from dtui.model.arrays import BoolArray
from dtui.record.measure.norm_values import arriving
from dtui.record.network.other_parameters import ParameterProbe, rebind_parameters
from dtui.record.training.distributed import is_sharded, own_part

MOST_COPIED = 16 << 20
"""Elements of a parameter whose values are kept until the next record; a larger one has no update norm."""
SHORT = 8_192
"""Elements of a vector on the CPU up to which it is read together with the others."""
READ = ("norm", "update_norm", "gradient_norm")
"""The rows of what is read."""

_PLAIN = (Tensor, nn.Parameter)
_FORM = attrgetter("layout", "ndim")
_HALVES = (torch.float16, torch.bfloat16)
_Wait = Callable[[], FloatArray]


class _Group:
    """The parameters of one type on one device: those whose earlier values are kept first."""

    def __init__(self) -> None:
        self.rows: list[int] = []
        self.now: list[Tensor] = []
        self.before: list[Tensor] = []
        self.is_new: list[bool] = []
        """Of `before`: whether it holds the values of now, and so no earlier ones."""

    def norms(self) -> Tensor:
        """Return the norms of the values."""
        return _norms(self.now)

    def update_norms(self) -> Tensor:
        """Return the norms of the updates since the record before, and keep the values of now."""
        now = self.now[: len(self.before)]
        torch._foreach_sub_(self.before, now)
        norms = _norms(self.before)
        torch._foreach_copy_(self.before, now)
        return norms


class _Small:
    """The short vectors of one type on the CPU, such as biases: read as one, summed on the writer's thread."""

    def __init__(self) -> None:
        self.rows: list[int] = []
        self.now: list[Tensor] = []
        self.before: Tensor | None = None
        """Their values at the record before, one after the other; NaN for one that is new."""

    @cached_property
    def starts(self) -> IntArray:
        """Where each begins; asked once the plan is made."""
        return np.cumsum([0, *(one.numel() for one in self.now[:-1])])

    @cached_property
    def elements(self) -> int:
        """The number of all values."""
        return sum(one.numel() for one in self.now)

    def pieces(self) -> dict[int, Tensor]:
        """Return the values at the record before, by row."""
        sizes = [one.numel() for one in self.now]
        return {} if self.before is None else dict(zip(self.rows, torch.split(self.before, sizes), strict=True))

    def keep(self, before: Mapping[int, Tensor]) -> None:
        """Take the values at the record before from those of an earlier plan."""
        kept = [before.get(row) for row in self.rows]
        if any(one is not None for one in kept):
            whole = [
                one if one is not None and _is_alike(one, now) else torch.full_like(now, torch.nan)
                for one, now in zip(kept, self.now, strict=True)
            ]
            self.before = torch.cat(whole)

    def read(self) -> list[tuple[int, list[int], _Wait]]:
        """Read the values, and what they moved since the record before; as `ParameterValues._read`."""
        values, before, starts = torch.cat(self.now), self.before, self.starts
        self.before = values
        waits: list[tuple[int, list[int], _Wait]] = [(0, self.rows, partial(_norms_of_pieces, values, starts))]
        if before is not None:
            waits.append((1, self.rows, partial(_norms_of_pieces, values - before, starts)))
        return waits

    def gradients(self) -> Tensor | None:
        """Return the gradients one after the other; None where one has none, or one of another kind."""
        found: list[Any] = [one.grad for one in self.now]  # a loop in Python over their properties costs as much again
        if set(map(type, found)) != {Tensor} or set(map(_FORM, found)) != {(torch.strided, 1)}:
            return None
        joint = torch.cat(found)
        return joint if joint.numel() == self.elements else None


def _norms_of_pieces(values: Tensor, starts: IntArray) -> FloatArray:
    """Return the norm of each piece of a vector, in float64."""
    whole = values.double().numpy()
    with np.errstate(all="ignore"):
        norms: FloatArray = np.sqrt(np.add.reduceat(whole * whole, starts)).astype(np.float32)
    return norms


def _norms(tensors: list[Tensor]) -> Tensor:
    """Return the Euclidean norm of each tensor, shape (tensors,); half precision is summed in single precision."""
    single = {"dtype": torch.float32} if tensors[0].dtype in _HALVES else {}
    return torch.stack(torch._foreach_norm(tensors, 2, **single))


class ParameterValues:
    """Reads the parameters outside the layers, record after record."""

    def __init__(self, probes: Sequence[ParameterProbe]) -> None:
        """Prepare for these parameters, in the order of the run."""
        self._probes = probes
        self._before: dict[int, Tensor] = {}
        self._seen: list[Tensor | None] | None = None
        self._groups: list[_Group] = []
        self._small: list[_Small] = []
        self.spread: BoolArray | None = None
        """Which of them are spread over processes, each of which reads the norms of its own part; None for none."""

    @property
    def is_sharded(self) -> bool:
        """Whether this process holds only a part of one of them."""
        return any(is_sharded(probe.tensor) for probe in self._probes)

    @property
    def record_bytes(self) -> int:
        """Bytes that one record of them takes while it waits to be written."""
        tensors = [probe.tensor for probe in self._probes]
        small = sum(one.numel() for one in tensors if one is not None and _is_small(one))
        return 4 * len(READ) * len(self._probes) + 24 * small

    def rebind(self, root: nn.Module) -> None:
        """Follow a network whose modules were replaced."""
        rebind_parameters(root, self._probes)

    @torch.no_grad()
    def take(self, *, with_gradients: bool) -> Callable[[], FloatArray | None]:
        """Read everything. Return a function for another thread that waits for the norms on the host.

        It returns shape (len(READ), parameters), None if there are none; NaN where there is no value: of what is not
        trained now, gone or on another process, and of an update with no record before; infinity for a norm that is not
        finite.

        Args:
            with_gradients: Whether the gradients belong to the last update.
        """
        if not self._probes:
            return lambda: None
        tensors = [one if (one := probe.tensor) is not None and one.requires_grad else None for probe in self._probes]
        if self._seen is None or not all(map(is_, tensors, self._seen)):
            self._plan(tensors)
        try:
            waits = self._read(with_gradients)
        except RuntimeError:  # some moved to another device or changed their shape
            self._before.clear()
            self._small.clear()
            self._plan(tensors)
            waits = self._read(with_gradients)
        count = len(self._probes)

        def arrive() -> FloatArray:
            values: FloatArray = np.full((len(READ), count), np.nan, np.float32)
            for row, places, wait in waits:
                found = wait()
                values[row, places] = np.where(np.isnan(found), np.inf, found)
            return values

        return arrive

    def _read(self, with_gradients: bool) -> list[tuple[int, list[int], _Wait]]:
        """Begin to read. Return for each vector its row in READ, the parameters, and a function that waits for it."""
        waits = [wait for small in self._small for wait in small.read()]
        for group in self._groups:
            waits.append((0, group.rows, arriving(group.norms())))
            if group.before:
                norms = group.update_norms()
                if any(group.is_new):
                    old = [at for at, is_new in enumerate(group.is_new) if not is_new]
                    group.is_new = [False] * len(group.before)
                    waits += (
                        [(1, [group.rows[at] for at in old], arriving(torch.stack([norms[at] for at in old])))]
                        if old
                        else []
                    )
                else:
                    waits.append((1, group.rows[: len(group.before)], arriving(norms)))
        read: set[int] = set()
        for small in self._small if with_gradients else ():
            joint = small.gradients()
            if joint is not None:
                read.update(small.rows)
                waits.append((2, small.rows, partial(_norms_of_pieces, joint, small.starts)))
        for rows, gradients in self._gradients(read) if with_gradients else ():
            waits.append((2, rows, arriving(_norms(gradients))))
        return waits

    def _gradients(self, read: Container[int]) -> list[tuple[list[int], list[Tensor]]]:
        """Return the gradients that there are and were not read yet, those of one type on one device together."""
        kinds: dict[tuple[torch.device, torch.dtype], tuple[list[int], list[Tensor]]] = {}
        for row, tensor in enumerate(self._seen or ()):
            gradient = None if tensor is None or row in read else tensor.grad
            if gradient is not None and type(gradient) is not Tensor:
                gradient = own_part(gradient)
            if gradient is not None and gradient.layout is not torch.strided:
                gradient = _values(gradient)
            if gradient is not None and gradient.numel():
                rows, gradients = kinds.setdefault((gradient.device, gradient.dtype), ([], []))
                rows.append(row)
                gradients.append(gradient)
        return list(kinds.values())

    def _plan(self, tensors: list[Tensor | None]) -> None:
        """Group the parameters of now, and copy the values of those that are new."""
        groups: dict[tuple[torch.device, torch.dtype], _Group] = {}
        small: dict[torch.dtype, _Small] = {}
        before, parts = self._before, list(map(_part, tensors))
        for short in self._small:
            before.update(short.pieces())
        was_new = {
            row for group in self._groups for row, is_new in zip(group.rows, group.is_new, strict=False) if is_new
        }
        self._before = {}
        by_copy = sorted(range(len(parts)), key=lambda row: _is_large(parts[row]))
        for row in by_copy:
            now = parts[row]
            if now is None:
                continue
            if _is_small(now):
                short = small.setdefault(now.dtype, _Small())
                short.rows.append(row)
                short.now.append(now)
                continue
            group = groups.setdefault((now.device, now.dtype), _Group())
            group.rows.append(row)
            group.now.append(now)
            if _is_large(now):
                continue
            earlier = before.get(row)
            is_new = earlier is None or not _is_alike(earlier, now)
            kept = now.detach().clone() if earlier is None or is_new else earlier
            self._before[row] = kept
            group.before.append(kept)
            group.is_new.append(is_new or row in was_new)
        for short in small.values():
            short.keep(before)
        self._groups, self._small, self._seen = list(groups.values()), list(small.values()), tensors
        spread = np.array(list(map(is_sharded, tensors)), np.bool_)
        self.spread = spread if spread.any() else None


def _part(tensor: Tensor | None) -> Tensor | None:
    """Return what this process reads of a parameter: the parameter itself, or its own part; None for nothing."""
    part = tensor if tensor is None or type(tensor) in _PLAIN else own_part(tensor.detach())
    return part if part is not None and part.device.type != "meta" and part.numel() else None


def _is_small(tensor: Tensor) -> bool:
    """Whether it is a short vector on the CPU, where an operation for each costs more than its elements do."""
    return type(tensor) in _PLAIN and tensor.dim() == 1 and tensor.device.type == "cpu" and tensor.numel() <= SHORT


def _is_large(tensor: Tensor | None) -> bool:
    return tensor is not None and tensor.numel() > MOST_COPIED


def _is_alike(one: Tensor, other: Tensor) -> bool:
    return (one.shape, one.dtype, one.device) == (other.shape, other.dtype, other.device)


def _values(gradient: Tensor) -> Tensor | None:
    """Return the values of a sparse gradient, as an embedding may have it; None where summing them needs a wait."""
    if gradient.layout is not torch.sparse_coo or (gradient.device.type != "cpu" and not gradient.is_coalesced()):
        return None
    return gradient.coalesce().values()


def parameter_statistics(read: FloatArray) -> FloatArray:
    """Return the statistics of parameters from what `take` gave, shape (len(PARAMETER_STATISTICS), parameters).

    NaN where there is no value. A norm that is not finite has none, but is counted.
    """
    finite = np.where(np.isinf(read), np.float32(np.nan), read)
    counted = np.where(np.isnan(read[0]), np.float32(np.nan), np.isinf(read[0]) + np.isinf(read[2]).astype(np.float32))
    found = {**dict(zip(READ, finite, strict=True)), "nonfinite": counted}
    return np.stack([found[name] for name in PARAMETER_STATISTICS]).astype(np.float32)


def joined(own: FloatArray, others: FloatArray) -> FloatArray:
    """Return the norms of parameters of which two processes hold a part each; NaN where neither has a value."""
    with np.errstate(invalid="ignore", over="ignore"):
        both = np.hypot(own, others)
    found: FloatArray = np.where(np.isnan(own), others, np.where(np.isnan(others), own, both)).astype(np.float32)
    return found
