"""Hears what a recorder tells."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from dtui.record import RecorderWarning


@contextmanager
def untold(*but: str) -> Iterator[None]:
    """Fail where a recorder tells anything but these. It never raises, so warnings that are errors pass unseen."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", RecorderWarning)
        yield
    told = [str(one.message) for one in caught if issubclass(one.category, RecorderWarning)]
    others = [line for line in told if not any(one in line for one in but)]
    assert not others, others
