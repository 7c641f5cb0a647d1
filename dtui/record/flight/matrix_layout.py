"""Groups the filters that a watch measures together: rows of equal length, from any layers, form one matrix.

Owns the order of the filters in a watch.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from dtui.model import IntArray
from dtui.record.backends.layer_rows import LayerRows
from dtui.record.network.layers import LayerProbe

NO_SAMPLES = torch.empty(0, dtype=torch.int64, device="cpu")


@dataclass(eq=False, slots=True)
class Piece:
    """Rows of one layer within a matrix.

    Attributes:
        layer: Index of the layer.
        start: First row in the layer.
        stop: Row after the last.
        target: The rows in the matrix.
        columns: Columns of the measurement.
        of: The rows of the layer from which `read` was made.
        read: The input of the compiled kernel.
    """

    layer: int
    start: int
    stop: int
    target: Tensor
    columns: slice
    of: Tensor | None = None
    read: LayerRows | None = None

    def cut(self, rows: Tensor) -> Tensor:
        """Return the rows of this piece from a layer's rows."""
        return rows if self.stop - self.start == rows.shape[0] else rows[self.start : self.stop]


def lay_out(
    probes: list[LayerProbe], limit: int, device: torch.device
) -> tuple[list[tuple[Tensor, list[Piece], slice]], IntArray]:
    """Arrange layers with equally long filters as matrices.

    Args:
        probes: The layers, placed on the flat filter axis.
        limit: Most elements of a matrix, unless one filter has more.
        device: Device of the weights.

    Returns:
        Each matrix with its pieces and its columns of the measurement; and the filter of each column, shape (F,).
    """
    by_length: dict[int, list[tuple[int, int, int]]] = {}
    for index, probe in enumerate(probes):
        filters = probe.shape[0]
        length = probe.elements // filters
        step = max(1, limit // length)
        spans = [(index, start, min(start + step, filters)) for start in range(0, filters, step)]
        by_length.setdefault(length, []).extend(spans)
    groups: list[tuple[Tensor, list[Piece], slice]] = []
    order: list[IntArray] = []
    column = 0
    for length, spans in by_length.items():
        for some in _packed(spans, max(1, limit // length)):
            count = sum(stop - start for _, start, stop in some)
            matrix = torch.zeros(count, length, dtype=torch.float32, device=device)
            pieces, row = [], 0
            for index, start, stop in some:
                place = slice(row, row + stop - start)
                columns = slice(column + place.start, column + place.stop)
                pieces.append(Piece(index, start, stop, matrix[place], columns))
                order.append(probes[index].first_filter + np.arange(start, stop))
                row = place.stop
            groups.append((matrix, pieces, slice(column, column + count)))
            column += count
    return groups, np.concatenate(order)


def _packed(spans: list[tuple[int, int, int]], most: int) -> list[list[tuple[int, int, int]]]:
    """Return spans of rows in batches of at most `most` rows, in order; a span never exceeds it."""
    batches: list[list[tuple[int, int, int]]] = []
    room = 0
    for span in spans:
        size = span[2] - span[1]
        if not batches or size > room:
            batches.append([])
            room = most
        batches[-1].append(span)
        room -= size
    return batches
