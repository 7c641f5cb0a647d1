"""Reads how large a change each adapter makes to its weight: ‖BA‖ · scale, without ever making BA.

‖BA‖² = trace((BᵀB)(AAᵀ)): the sum over the products of two matrices of rank × rank. Nothing here waits for a device.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from dtui.model import ADAPTER_STATISTICS, FloatArray
from dtui.record.measure.norm_values import arriving
from dtui.record.network.adapters import AdapterProbe, rebind_adapters
from dtui.record.training.distributed import is_sharded
from dtui.record.writing.warn import warn_once

MOST_AT_ONCE = 1 << 22
"""Elements of A and B that are read together: they are copied in double precision."""
LARGEST_RANK = 64
"""Above it single precision is used, for the products cost the square of the rank."""

_Pair = tuple[int, Tensor, Tensor]


class AdapterValues:
    """Reads the adapters of a network, record after record."""

    def __init__(self, probes: Sequence[AdapterProbe]) -> None:
        """Prepare for these adapters, in the order of the run."""
        self._probes = probes

    def rebind(self, root: nn.Module) -> None:
        """Follow a network whose modules were replaced."""
        rebind_adapters(root, self._probes)

    @torch.no_grad()
    def take(self) -> Callable[[], FloatArray | None]:
        """Read everything. Return a function for another thread that waits for the sizes on the host.

        It returns shape (adapters,), None if there are none; NaN where there is no value: of what is merged, gone,
        spread over processes, or no LoRA; infinity where A or B holds a NaN or an Inf.
        """
        if not self._probes:
            return lambda: None
        scales = np.full(len(self._probes), np.nan)
        waits = []
        for pairs in self._groups(scales):
            norms = _norms([a for _, a, _ in pairs], [b for _, _, b in pairs])
            waits.append(([row for row, _, _ in pairs], arriving(norms)))

        def arrive() -> FloatArray:
            found: FloatArray = np.full(len(scales), np.nan, np.float32)
            for rows, wait in waits:
                norms = wait().astype(np.float64) * np.abs(scales[rows])
                found[rows] = np.where(np.isfinite(norms), norms, np.inf)
            return found

        return arrive

    def _groups(self, scales: FloatArray) -> Iterator[list[_Pair]]:
        """Yield the adapters that are alike together, and put the scale of each into `scales`."""
        alike: dict[Hashable, list[_Pair]] = {}
        for row, probe in enumerate(self._probes):
            factors = probe.factors if probe.is_measured else None
            if factors is None:
                continue
            a, b, scales[row] = factors
            if is_sharded(a) or is_sharded(b):
                warn_once("sharded adapters", f"adapter of {probe.name}: spread over processes; its size is not known")
                continue
            if a.device.type != "meta":
                alike.setdefault((a.device, a.dtype, b.dtype, a.shape, b.shape), []).append((row, a, b))
        for pairs in alike.values():
            at_once = max(1, MOST_AT_ONCE // max(1, pairs[0][1].numel() + pairs[0][2].numel()))
            yield from (pairs[first : first + at_once] for first in range(0, len(pairs), at_once))


def _norms(every_a: list[Tensor], every_b: list[Tensor]) -> Tensor:
    """Return ‖BA‖ of adapters of one shape, shape (adapters,)."""
    is_double = every_a[0].device.type != "mps" and every_a[0].shape[0] <= LARGEST_RANK
    precise = torch.float64 if is_double else torch.float32
    a = torch.stack([_plain(one) for one in every_a]).flatten(2).to(precise)
    b = torch.stack([_plain(one) for one in every_b]).flatten(2).to(precise)
    products = (a @ a.mT) * (b.mT @ b)
    return products.sum((1, 2)).clamp_(min=0).sqrt_()


def _plain(tensor: Tensor) -> Tensor:
    local = getattr(tensor, "to_local", None)
    return tensor.detach() if local is None else local().detach()


def adapter_statistics(read: FloatArray) -> FloatArray:
    """Return the statistics of adapters from what `take` gave, shape (len(ADAPTER_STATISTICS), adapters)."""
    found = {"adapter_norm": np.where(np.isinf(read), np.float32(np.nan), read)}
    return np.stack([found[name] for name in ADAPTER_STATISTICS]).astype(np.float32)
