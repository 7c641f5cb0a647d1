"""Takes one record of a live network: what has to happen on the training thread, and no more.

Owns the layers' previous weights and the buffers on each device. A second copy would compare a weight with
another record's. On a GPU nothing here waits: the results are copied to pinned memory on the training stream,
and the writer waits for the event.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from dtui.model import FloatArray
from dtui.record.derive import RawRecord
from dtui.record.layers import (
    LayerProbe,
    as_rows,
    has_filters_first,
    rebind,
    reorder_rows,
    row_order,
    weight_identities,
)
from dtui.record.samples import LayerSampler, pick
from dtui.record.shards import is_sharded, local_rows
from dtui.record.statistics import FilterSums, Sum
from dtui.record.warn import warn_once


class _Taken:
    """Results on their way from one device to the host."""

    def __init__(self, sums: Tensor, samples: Tensor) -> None:
        self._event: torch.cuda.Event | None = None
        if sums.device.type == "cuda":
            self.sums = torch.empty(sums.shape, pin_memory=True).copy_(sums, non_blocking=True)
            self.samples = torch.empty(samples.shape, pin_memory=True).copy_(samples, non_blocking=True)
            self._event = torch.cuda.Event()  # type: ignore[no-untyped-call]
            self._event.record(torch.cuda.current_stream(sums.device))
        else:
            self.sums, self.samples = sums.cpu().clone(), samples.cpu().clone()

    def wait(self) -> tuple[FloatArray, FloatArray]:
        """Return the arrays once they have arrived."""
        if self._event is not None:
            self._event.synchronize()
        return self.sums.numpy(), self.samples.numpy()


class Measurer:
    """Measures all layers of one network, record after record."""

    def __init__(self, root: nn.Module, probes: list[LayerProbe], fused: bool = False) -> None:
        """Prepare for the layers of a network that have been placed on the flat filter axis.

        Args:
            root: The network.
            probes: Its layers.
            fused: Use the compiled kernels.
        """
        self._fused = fused
        self._root = root
        self._probes = probes
        self._filters = sum(probe.shape[0] for probe in probes)
        self._sampler = LayerSampler([probe.elements for probe in probes])
        self._previous: list[Tensor | None] = [None] * len(probes)
        self._orders: list[torch.memory_format] = [torch.contiguous_format] * len(probes)
        self._sums: dict[torch.device, FilterSums] = {}
        self._samples: dict[torch.device, Tensor] = {}
        self._identities = weight_identities(root)

    @property
    def is_sharded(self) -> bool:
        """Whether this process holds a part of the weights only."""
        return any(is_sharded(probe.module._parameters.get("weight")) for probe in self._probes)

    @property
    def record_bytes(self) -> int:
        """Memory that one record takes while it waits to be written."""
        return 4 * (len(Sum) * self._filters + 3 * len(self._probes) * self._sampler.samples)

    @torch.no_grad()
    def measure(self) -> Callable[[int, Mapping[str, float]], RawRecord]:
        """Read every layer once, and return what makes the raw record of it on another thread."""
        identities = weight_identities(self._root)
        if identities != self._identities:
            self._identities = identities
            for change in rebind(self._root, self._probes):
                warn_once(change, change)
        for sums in self._sums.values():
            sums.clear()
        for samples in self._samples.values():
            samples.fill_(torch.nan)
        for index, probe in enumerate(self._probes):
            if probe.present:
                self._measure_layer(index, probe)
        if not self._sums:
            self._buffers(torch.device("cpu"))
        taken = [_Taken(self._sums[device].buffer, self._samples[device]) for device in self._sums]

        def finish(iteration: int, scalars: Mapping[str, float]) -> RawRecord:
            raw = RawRecord(iteration, *taken[0].wait(), scalars)
            for part in taken[1:]:
                raw = raw.with_part(*part.wait())
            return raw

        return finish

    def _measure_layer(self, index: int, probe: LayerProbe) -> None:
        whole = probe.weight()
        part = local_rows(whole)
        if part is None or (is_sharded(whole) and not has_filters_first(probe.module)):
            warn_once(probe.name, f"layer {probe.name}: its weight is sharded within filters; it is left out")
            return
        weight, first_row = part
        sums, samples = self._buffers(weight.device)
        order = row_order(probe.module, weight)
        rows = as_rows(probe.module, weight, order)
        previous = self._previous_rows(index, probe, rows, order)
        whole_gradient = probe.gradient()
        gradient = None if whole_gradient is None else local_rows(whole_gradient)
        gradient_rows = None if gradient is None else as_rows(probe.module, gradient[0], order)
        places, positions = self._sampler.places(index, rows, first_row)
        chosen = pick(rows, positions)
        samples[0, index, places] = chosen
        if gradient_rows is not None:
            samples[1, index, places] = pick(gradient_rows, positions)
        if previous is not None:
            samples[2, index, places] = chosen - pick(previous, positions)
        if rows.numel():
            sums.add(probe.first_filter + first_row, rows, previous, gradient_rows)
        if previous is None:
            self._previous[index] = rows.to(torch.float32, copy=True)
            self._orders[index] = order

    def _previous_rows(self, index: int, probe: LayerProbe, rows: Tensor, order: torch.memory_format) -> Tensor | None:
        """Return the weights of the record before, where and in the order in which the rows are now."""
        previous = self._previous[index]
        if previous is None or previous.shape != rows.shape:
            return None
        if previous.device != rows.device:
            previous = previous.to(rows.device)
        previous = reorder_rows(previous, probe.shape, self._orders[index], order)
        self._previous[index], self._orders[index] = previous, order
        return previous

    def _buffers(self, device: torch.device) -> tuple[FilterSums, Tensor]:
        if device not in self._sums:
            self._sums[device] = FilterSums(self._filters, device, self._fused)
            self._sums[device].clear()
            self._samples[device] = self._sampler.empty().to(device)
        return self._sums[device], self._samples[device]
