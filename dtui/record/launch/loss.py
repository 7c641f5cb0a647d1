"""Logs the loss of a training that logs nothing: the number that `backward` is called on.

Owns what counts as the loss of one update: the sum of all that was differentiated for it, before a GradScaler.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from dtui.record.batches.tensors import tensors_in


class Losses:
    """Adds up what is differentiated until the next update. On a GPU nothing waits for it."""

    def __init__(self, log: Callable[[Tensor], None]) -> None:
        """Begin; `log` is called with the sum so far."""
        self._log = log
        self._sum: Tensor | None = None
        self._is_scaled = False

    def forget(self) -> None:
        """Begin anew: an update is made, or the gradients are cleared."""
        self._sum, self._is_scaled = None, False

    def scaled(self, outputs: object) -> None:
        """Note what a GradScaler multiplies, one loss or several: what is differentiated afterwards is not the loss."""
        self._is_scaled = True
        for tensor in tensors_in(outputs):
            self._add(tensor)

    def differentiated(self, tensor: Tensor) -> None:
        """Note what `backward` is called on."""
        if not self._is_scaled:
            self._add(tensor)

    def _add(self, tensor: Tensor) -> None:
        if tensor.numel() != 1 or tensor.is_complex():
            return
        value = tensor.detach().reshape(())
        if self._sum is not None and self._sum.device == value.device:
            value = self._sum + value
        self._sum = value
        self._log(value)
