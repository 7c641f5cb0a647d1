"""Lets another thread read tensors that a device may not have computed yet, whatever stream it computes them on."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

from dtui.fork_gate import resting


def when_ready(things: Iterable[object]) -> Callable[[], None]:
    """Return a function for another thread that waits until devices have computed what is given now.

    Args:
        things: Tensors on any device; anything else is passed over.
    """
    devices = {one.device for one in things if isinstance(one, Tensor) and one.device.type == "cuda"}
    events = []
    for device in devices:
        event: Any = torch.cuda.Event()  # type: ignore[no-untyped-call]
        event.record(torch.cuda.current_stream(device))
        events.append(event)

    def wait() -> None:
        for event in events:
            with resting():
                event.synchronize()

    return wait
