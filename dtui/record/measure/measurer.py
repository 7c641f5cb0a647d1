"""Measures one record of a live network: only the work that must happen on the training thread.

Owns the layers' previous weights and the buffers on each device. On a GPU nothing here waits. The sums are computed on
the training stream, between two updates. A second stream copies them to pinned memory, and the writer waits for its
event.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from dtui.fork_gate import resting
from dtui.model import FloatArray
from dtui.model.arrays import BoolArray
from dtui.record.backends.choose import summing_on
from dtui.record.backends.layer_rows import LayerRows
from dtui.record.backends.sums import Buffers, Sum, Summing
from dtui.record.measure.adapter_values import AdapterValues
from dtui.record.measure.norm_values import NormValues
from dtui.record.measure.parameter_values import ParameterValues
from dtui.record.measure.samples import LayerSampler
from dtui.record.measure.statistics import RawRecord
from dtui.record.network.adapters import AdapterProbe
from dtui.record.network.layers import (
    LayerProbe,
    as_rows,
    has_filters_first,
    rebind,
    reorder_rows,
    row_order,
)
from dtui.record.network.network_changes import NetworkWatch
from dtui.record.network.norm_layers import NormProbe
from dtui.record.network.other_parameters import ParameterProbe
from dtui.record.training.distributed import is_sharded, local_rows
from dtui.record.writing.warn import reason_of, warn_once


class _Device:
    """The buffers for the layers on one device.

    On the CPU the writer reads a record where the kernel wrote it, and the memory is reused once nobody holds it. New
    memory pages for each record would cost a quarter of the kernel's time.
    """

    def __init__(self, make_buffers: Callable[[], Buffers], summing: Summing) -> None:
        self._make_buffers = make_buffers
        self._summing = summing
        self._free: list[Buffers] = []
        self._copying: torch.cuda.Stream | None = None

    def take(self, layers: list[LayerRows]) -> Callable[[], tuple[FloatArray, FloatArray]]:
        """Read the rows. Return a function for another thread that waits for the sums and samples on the host."""
        buffers = self._free.pop() if self._free else self._make_buffers()
        if self._copying is not None:
            torch.cuda.current_stream(buffers.memory.device).wait_stream(self._copying)
        buffers.prepare(layers)
        self._summing.take(layers, buffers)
        if buffers.memory.device.type == "cpu":
            memory = buffers.memory.numpy()
            weakref.finalize(memory, self._free.append, buffers).atexit = False
            arrays = buffers.as_arrays(memory)
            return lambda: arrays
        if buffers.memory.device.type == "cuda":
            return self._copy_beside(buffers)
        copy = buffers.memory.to("cpu")
        self._free.append(buffers)
        return lambda: buffers.as_arrays(copy.numpy())

    def _copy_beside(self, buffers: Buffers) -> Callable[[], tuple[FloatArray, FloatArray]]:
        """Copy to the host on our own stream. Training does not wait for this copy, but the next record does."""
        device = buffers.memory.device
        if self._copying is None:
            self._copying = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        training = torch.cuda.current_stream(device)
        copy = torch.empty(buffers.memory.shape, dtype=torch.float32, device="cpu", pin_memory=True)
        self._copying.wait_stream(training)
        with torch.cuda.stream(self._copying):
            copy.copy_(buffers.memory, non_blocking=True)
            event = self._copying.record_event()
        self._free.append(buffers)

        def wait() -> tuple[FloatArray, FloatArray]:
            with resting():
                event.synchronize()
            return buffers.as_arrays(copy.numpy())

        return wait


class Measurer:
    """Measures all layers of one network, record after record."""

    def __init__(
        self,
        root: nn.Module | None,
        probes: list[LayerProbe],
        fused: bool = False,
        norms: Sequence[NormProbe] = (),
        parameters: Sequence[ParameterProbe] = (),
        adapters: Sequence[AdapterProbe] = (),
        has_channels: bool = False,
    ) -> None:
        """Prepare for the layers of a network that have been placed on the flat filter axis.

        Args:
            root: The network; None if its container is gone and only the layers are trained.
            probes: Its layers.
            fused: Whether to use a compiled kernel if one is available.
            norms: Its normalisation layers, in the order of the run.
            parameters: Its parameters outside the layers, in the order of the run.
            adapters: Its adapters, in the order of the run.
            has_channels: Whether the channels of its normalisation layers are recorded.
        """
        self._fused = fused
        self._norms = NormValues(norms, has_channels)
        self._parameters = ParameterValues(parameters)
        self._adapters = AdapterValues(adapters)
        self._root = None if root is None else weakref.ref(root)
        self._probes = probes
        self._filters = sum(probe.shape[0] for probe in probes)
        self._sampler = LayerSampler([probe.elements for probe in probes])
        self._seen: list[tuple[Tensor, int, tuple[int, ...], LayerRows] | None] = [None] * len(probes)
        self._previous: list[Tensor | None] = [None] * len(probes)
        self._orders: list[torch.memory_format] = [torch.contiguous_format] * len(probes)
        self._devices: dict[torch.device, _Device] = {}
        self._network = None if root is None else NetworkWatch(root)
        self.has_changed = False
        """Whether a part of the network was replaced before the last record."""
        self.changes: list[str] = []
        """Layers that are no longer recorded, or not yet, a line each, since whoever takes note of them cleared it."""

    @property
    def is_sharded(self) -> bool:
        """Whether this process holds only a part of the weights."""
        weights = (probe.parameter for probe in self._probes)
        return any(map(is_sharded, weights)) or self._norms.is_sharded or self._parameters.is_sharded

    @property
    def record_bytes(self) -> int:
        """Bytes that one record takes while it waits to be written."""
        samples = 3 * len(self._probes) * self._sampler.samples
        others = self._norms.record_bytes + self._parameters.record_bytes
        return 4 * (len(Sum) * self._filters + samples) + others

    @torch.no_grad()
    def measure(self, *, with_gradients: bool = True) -> Callable[[int, Mapping[str, float]], RawRecord]:
        """Read every layer once, and return a function that makes the raw record on another thread.

        Args:
            with_gradients: Whether the gradients belong to the last update; otherwise they are recorded as NaN.
        """
        self._follow_network()
        layers: dict[torch.device, list[LayerRows]] = {}
        for index, probe in enumerate(self._probes):
            rows = self._rows(index, probe) if probe.present else None
            if rows is not None:
                rows.gradient = self._gradient(index, probe, rows.weight) if with_gradients else None
                layers.setdefault(rows.weight.device, []).append(rows)
        for device in layers or [torch.device("cpu")]:
            if device not in self._devices:
                self._devices[device] = self._prepare(device)
        waits = [kept.take(layers.get(device, [])) for device, kept in self._devices.items()]
        for taken in layers.values():
            for rows in taken:
                rows.gradient = None  # the training may want its memory back before the next record
        norms, parameters, spread = self._take_norms(), *self._take_parameters(with_gradients)
        adapters = self._take_adapters()

        def finish(iteration: int, scalars: Mapping[str, float]) -> RawRecord:
            raw = RawRecord(iteration, *waits[0](), scalars, norms(), parameters(), spread, adapters())
            for wait in waits[1:]:
                raw = raw.with_part(*wait())
            return raw

        return finish

    def _follow_network(self) -> None:
        """Read the modules that are now where others were, if the network was changed since the last record."""
        root = None if self._root is None else self._root()
        self.has_changed = root is not None and self._network is not None and self._network.has_changed()
        if root is not None and self.has_changed:
            self._norms.rebind(root)
            self._parameters.rebind(root)
            self._adapters.rebind(root)
            self.changes = rebind(root, self._probes)
            for change in self.changes:
                warn_once(change, change)

    def _take_norms(self) -> Callable[[], FloatArray | None]:
        """Read the normalisation layers. If that fails, only they are left out from then on."""
        try:
            return self._norms.take()
        except Exception as error:  # noqa: BLE001 - the rest is recorded all the same
            warn_once("norms", f"normalisation layers are not recorded from here on: {reason_of(error)}")
            self._norms = NormValues(())
            return lambda: None

    def _take_parameters(self, with_gradients: bool) -> tuple[Callable[[], FloatArray | None], BoolArray | None]:
        """Read the parameters outside the layers; which of them are spread follows. A failure leaves out them alone."""
        try:
            return self._parameters.take(with_gradients=with_gradients), self._parameters.spread
        except Exception as error:  # noqa: BLE001 - the rest is recorded all the same
            warn_once("parameters", f"parameters outside the layers are not recorded from here on: {reason_of(error)}")
            self._parameters = ParameterValues(())
            return lambda: None, None

    def _take_adapters(self) -> Callable[[], FloatArray | None]:
        """Read the adapters. A failure leaves out them alone."""
        try:
            return self._adapters.take()
        except Exception as error:  # noqa: BLE001 - the rest is recorded all the same
            warn_once("adapters", f"the size of adapters is not recorded from here on: {reason_of(error)}")
            self._adapters = AdapterValues(())
            return lambda: None

    def _rows(self, index: int, probe: LayerProbe) -> LayerRows | None:
        """Return the rows of a layer to read; None if this process holds none of it."""
        parameter, seen = probe.parameter, self._seen[index]
        if (
            seen is not None
            and seen[0] is parameter
            and seen[1] == parameter.data_ptr()
            and seen[2] == parameter.stride()
        ):
            rows: LayerRows | None = seen[3]
        else:
            rows, self._seen[index] = self._find_rows(index, probe), None
            if rows is not None and type(parameter) is nn.Parameter and rows.weight.data_ptr() == parameter.data_ptr():
                known = replace(rows, is_first=False)
                self._seen[index] = parameter, parameter.data_ptr(), parameter.stride(), known
        return rows

    def _gradient(self, index: int, probe: LayerProbe, rows: Tensor) -> Tensor | None:
        """Return the gradients of the weights in these rows; None if there are none."""
        seen = self._seen[index]
        known = None if seen is None else seen[0].grad
        if known is not None and seen is not None and known.stride() == seen[2]:  # the rows are a view
            return known
        gradient = probe.gradient()
        part = None if gradient is None else local_rows(gradient)
        return None if part is None else as_rows(probe.module, part[0], self._orders[index])

    def _find_rows(self, index: int, probe: LayerProbe) -> LayerRows | None:
        """Return rows without gradient, as in `_rows`, for a weight that was moved or is computed."""
        whole = probe.weight()
        if whole.is_meta:
            warn_once(
                "meta", f"layer {probe.name}: its weight is on the device meta, without values; nothing to record"
            )
            return None
        part = local_rows(whole)
        if part is None or (is_sharded(whole) and not has_filters_first(probe.module)):
            warn_once(probe.name, f"layer {probe.name}: its weight is sharded within filters; it is left out")
            return None
        weight, first_row = part
        order = row_order(probe.module, weight)
        rows = as_rows(probe.module, weight, order)
        if not rows.numel():
            return None
        previous = self._previous_rows(index, probe, rows, order)
        is_first = previous is None
        if previous is None:
            previous = self._previous[index] = torch.empty(rows.shape, dtype=torch.float32, device=rows.device)
            self._orders[index] = order
        start = first_row * rows.shape[1]
        positions, place = self._sampler.positions(index, start, start + rows.numel())
        column = probe.first_filter + first_row
        return LayerRows(index, column, rows, previous, is_first, None, positions, place)

    def _previous_rows(self, index: int, probe: LayerProbe, rows: Tensor, order: torch.memory_format) -> Tensor | None:
        """Return the weights at the record before, on the rows' present device and in their present order."""
        previous = self._previous[index]
        if previous is None or previous.shape != rows.shape:
            return None
        if previous.device != rows.device:
            previous = previous.to(rows.device)
        previous = reorder_rows(previous, probe.shape, self._orders[index], order)
        self._previous[index], self._orders[index] = previous, order
        return previous

    def _prepare(self, device: torch.device) -> _Device:
        filters, layers, samples = self._filters, len(self._probes), self._sampler.samples
        return _Device(lambda: Buffers(filters, layers, samples, device), summing_on(device, fused=self._fused))
