"""Measures a watch: three norms of every filter, in as few operations and passes over the weights as possible.

Owns the copy of the weights at the watch before (4 bytes per weight), and the order in which filters are measured.
Nothing here waits for a device: on CUDA the norms are copied to pinned memory on the training stream, and the writer
waits for the event.

Layers whose filters have equally many elements share one matrix, which holds the weights at the watch before. It is
overwritten with the updates, then the gradients, then the present weights. Each time the norms of its rows are
computed. If a matrix has one layer only, its gradients are measured in place. On a GPU this takes about forty launches
for a ResNet-50. On a CPU the matrices are small enough to stay in the cache. A compiled kernel does all of it in one
pass.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
import torch
from torch import Tensor

from dtui.errors import RecorderError
from dtui.model import FloatArray
from dtui.record.backends.choose import norming_on
from dtui.record.backends.layer_rows import LayerRows
from dtui.record.flight.matrix_layout import NO_SAMPLES, Piece, lay_out
from dtui.record.network.layers import LayerProbe, as_rows, row_order
from dtui.record.training.distributed import is_sharded

CACHED_ELEMENTS = 1 << 18
"""Elements of one matrix on the CPU: 1 MiB, which stay in the cache between the passes; smaller ones cost calls."""


class Norm(IntEnum):
    """Rows of a measured watch; each row has one number per filter."""

    UPDATE = 0
    WEIGHT = 1
    GRADIENT = 2


@dataclass(eq=False, slots=True)
class _Source:
    """The weight of a layer as rows, kept as long as the parameter and its memory stay the same.

    Attributes:
        parameter: The parameter that the rows show; None if they are a copy, which must be made again each time.
        address: Address of its memory when the rows were made.
        rows: Shape (filters, elements).
        order: Memory order of the elements within a row.
    """

    parameter: Tensor | None
    address: int
    rows: Tensor
    order: torch.memory_format


@dataclass(eq=False, slots=True)
class Watch:
    """One measured watch on its way to the writer.

    Attributes:
        norms: Rows as in Norm, shape (3, F), in the order of `WatchMeter.order`; host memory of the caller.
        event: Set when the norms have arrived; None on the CPU.
        absent: Entries without a value: rows and columns of `norms`.
        nonfinite: Elements that are NaN or Inf, rows as in Norm, shape (3, F); None if there are none (CPU), or if it
            is unknown (CUDA); there a non-finite norm means at least one such element.
    """

    norms: Tensor
    event: torch.cuda.Event | None
    absent: list[tuple[Norm, slice]] = field(default_factory=list)
    nonfinite: FloatArray | None = None


class WatchMeter:
    """Measures watch after watch of one network.

    Attributes:
        order: Shape (F,): the position on the flat filter axis of each measured column.
        device: Device of the weights.
    """

    def __init__(self, probes: list[LayerProbe], fused: bool = False) -> None:
        """Prepare for layers that have been placed on the flat filter axis.

        Args:
            probes: The layers.
            fused: Use a compiled kernel where it is to be had.

        Raises:
            RecorderError: Weights are sharded, or on several devices.
        """
        self._probes = probes
        self.device = one_device(probes)
        self._kernel = norming_on(self.device, fused=fused)
        self._sources: list[_Source | None] = [None] * len(probes)
        self._known = [False] * len(probes)
        is_cached = self.device.type == "cpu" and self._kernel is None
        limit = CACHED_ELEMENTS if is_cached else sum(probe.elements for probe in probes)
        self._groups, self.order = lay_out(probes, limit, self.device)
        self._buffer = torch.zeros(len(Norm), len(self.order), dtype=torch.float32, device=self.device)

    @property
    def copied_bytes(self) -> int:
        """Bytes of the copy of the weights at the watch before."""
        return sum(matrix.numel() * 4 for matrix, _, _ in self._groups)

    @property
    def matrices(self) -> list[Tensor]:
        """The weights at the last watch, float32, one filter a row; see `place_of` and `orders`."""
        return [matrix for matrix, _, _ in self._groups]

    def place_of(self, layer: int, filter: int) -> tuple[int, int]:
        """Return the matrix that holds a filter of a layer, and its row there."""
        for index, (_, pieces, columns) in enumerate(self._groups):
            for piece in pieces:
                if piece.layer == layer and piece.start <= filter < piece.stop:
                    return index, piece.columns.start - columns.start + filter - piece.start
        raise LookupError(f"layer {layer} filter {filter}")

    def orders(self) -> list[torch.memory_format | None]:
        """Return the memory order of each layer's rows at the last watch; None for a layer that was not there."""
        return [
            source.order if known and source is not None else None
            for source, known in zip(self._sources, self._known, strict=True)
        ]

    @torch.no_grad()
    def measure(self, norms: Tensor, event: torch.cuda.Event | None = None) -> Watch:
        """Read every weight and gradient once.

        Args:
            norms: Filled; shape (3, F), float32, on the CPU; pinned if the weights are on CUDA.
            event: Recorded once `norms` is filled; needed on CUDA.
        """
        out = norms if event is None else self._buffer
        watch = Watch(norms, event)
        rows, present = self._current_rows(), [probe.is_there for probe in self._probes]
        gradients = [self._gradient(index) if present[index] else None for index in range(len(self._probes))]
        groups = [
            (matrix, [piece for piece in pieces if present[piece.layer]], columns)
            for matrix, pieces, columns in self._groups
        ]
        if not self._measure_fused([piece for _, pieces, _ in groups for piece in pieces], rows, gradients, out):
            for matrix, pieces, columns in groups:
                if pieces:
                    self._measure_group(matrix, pieces, columns, rows, gradients, out)
        self._note_absent(watch, present, gradients)
        for index, is_present in enumerate(present):
            self._known[index] = is_present
        if event is not None:
            norms.copy_(out, non_blocking=True)
            event.record(torch.cuda.current_stream(self.device))
        elif not np.isfinite(float(norms.sum())):
            self._count_nonfinite(watch, rows, gradients)
        return watch

    # --- what is read

    def _current_rows(self) -> list[Tensor]:
        rows = []
        for index, probe in enumerate(self._probes):
            source = self._sources[index]
            if source is not None and probe.is_gone:  # the next record looks for what took its place
                rows.append(source.rows)
                continue
            parameter = probe.parameter
            is_same = source is not None and source.parameter is not None and source.parameter is parameter
            if source is None or not is_same or source.address != _address(parameter):
                source = self._read_source(index, probe, parameter)
            rows.append(source.rows)
        return rows

    def _read_source(self, index: int, probe: LayerProbe, parameter: Tensor | None) -> _Source:
        before = self._sources[index]
        if not probe.present and before is not None:
            return before
        weight = probe.weight()
        if weight.device != self.device or is_sharded(weight):
            raise RecorderError(f"layer {probe.name}: its weight moved to {weight.device}; it is no longer watched")
        order = row_order(probe.module, weight)
        rows = as_rows(probe.module, weight, order)
        is_view = parameter is not None and _address(rows) == _address(parameter)
        source = _Source(parameter if is_view else None, _address(rows) if is_view else -1, rows, order)
        if before is not None and (before.order != order or before.rows.shape != rows.shape):
            self._known[index] = False
        self._sources[index] = source
        return source

    def _gradient(self, index: int) -> Tensor | None:
        probe, source = self._probes[index], self._sources[index]
        gradient = probe.gradient()
        if gradient is None or source is None:
            return None
        if source.parameter is not None and gradient.stride() == source.parameter.stride():
            return gradient.as_strided(source.rows.shape, source.rows.stride())
        return as_rows(probe.module, gradient, source.order)

    # --- measuring

    def _measure_group(
        self,
        matrix: Tensor,
        pieces: list[Piece],
        columns: slice,
        rows: list[Tensor],
        gradients: list[Tensor | None],
        out: Tensor,
    ) -> None:
        """Measure a matrix three times; absent entries get numbers that nobody reads."""
        targets = [piece.target for piece in pieces]
        weights = [_as_operand(rows[piece.layer][piece.start : piece.stop]) for piece in pieces]
        torch._foreach_sub_(targets, weights)
        torch.linalg.vector_norm(matrix, dim=1, out=out[Norm.UPDATE, columns])
        filled = [(piece, slope) for piece in pieces if (slope := gradients[piece.layer]) is not None]
        if filled:
            found = [slope[piece.start : piece.stop] for piece, slope in filled]
            if found[0].shape != matrix.shape or found[0].dtype != torch.float32:
                torch._foreach_copy_([piece.target for piece, _ in filled], found)
                found = [matrix]
            torch.linalg.vector_norm(found[0], dim=1, out=out[Norm.GRADIENT, columns])
        torch._foreach_copy_(targets, weights)
        torch.linalg.vector_norm(matrix, dim=1, out=out[Norm.WEIGHT, columns])

    def _measure_fused(
        self, pieces: list[Piece], rows: list[Tensor], gradients: list[Tensor | None], out: Tensor
    ) -> bool:
        """Measure with the compiled kernel; False, without doing anything, if that is not possible."""
        if self._kernel is None:
            return False
        layers = []
        for piece in pieces:
            layer = piece.read
            if layer is None or piece.of is not rows[piece.layer]:
                piece.of = rows[piece.layer]
                layer = piece.read = LayerRows(
                    piece.layer, piece.columns.start, piece.cut(piece.of), piece.target, False, None, NO_SAMPLES, 0
                )
            gradient = gradients[piece.layer]
            layer.gradient = None if gradient is None else piece.cut(gradient)
            layers.append(layer)
        return self._kernel.take(layers, out)

    # --- what has no value

    def _note_absent(self, watch: Watch, present: list[bool], gradients: list[Tensor | None]) -> None:
        """List absent entries, and set them to a finite number, so that one sum tells whether all norms are finite."""
        for _, pieces, _ in self._groups:
            for piece in pieces:
                if not (present[piece.layer] and self._known[piece.layer]):
                    watch.absent.append((Norm.UPDATE, piece.columns))
                if not present[piece.layer]:
                    watch.absent.append((Norm.WEIGHT, piece.columns))
                if gradients[piece.layer] is None:
                    watch.absent.append((Norm.GRADIENT, piece.columns))
        if watch.event is None:
            for row, columns in watch.absent:
                watch.norms[row, columns] = 0.0

    def _count_nonfinite(self, watch: Watch, rows: list[Tensor], gradients: list[Tensor | None]) -> None:
        """Compute non-finite norms again over the finite elements, and count the non-finite ones."""
        counts = np.zeros((len(Norm), len(self.order)), np.float32)
        finite = torch.isfinite(watch.norms)
        for _, pieces, _ in self._groups:
            for piece in pieces:
                weight, gradient = rows[piece.layer], gradients[piece.layer]
                for row, values in ((Norm.WEIGHT, weight), (Norm.GRADIENT, gradient)):
                    if values is not None and not bool(finite[row, piece.columns].all()):
                        part = values[piece.start : piece.stop].double()
                        kept = torch.where(torch.isfinite(part), part, 0.0)
                        watch.norms[row, piece.columns] = torch.linalg.vector_norm(kept, dim=1).float()
                        counts[row, piece.columns] = (~torch.isfinite(part)).sum(1).numpy()
        lost = ~finite[Norm.UPDATE]
        watch.norms[Norm.UPDATE, lost] = 0.0
        counts[Norm.UPDATE] = lost.numpy()
        watch.nonfinite = counts if counts.any() else None  # their sum alone may be too large for a float32


def one_device(probes: list[LayerProbe]) -> torch.device:
    """Return the device of all weights.

    Raises:
        RecorderError: Weights are sharded, or on several devices.
    """
    weights = {probe.name: probe.parameter for probe in probes}
    sharded = next((name for name, weight in weights.items() if is_sharded(weight)), None)
    if sharded is not None:
        raise RecorderError(
            f"keep_around: layer {sharded} is sharded over processes, watches need whole weights; leave keep_around out"
        )
    devices = {probe.weight().device for probe in probes}
    if len(devices) != 1:
        found = ", ".join(sorted(map(str, devices)))
        raise RecorderError(f"keep_around: the layers are on {found}; watches need one device, leave keep_around out")
    return devices.pop()


def _as_operand(weight: Tensor) -> Tensor:
    """Return a weight in a type that torch computes with: types of 8 bits are for keeping and copying only."""
    return weight.float() if weight.itemsize == 1 else weight


def _address(tensor: Tensor | None) -> int:
    return -1 if tensor is None else tensor.data_ptr()
