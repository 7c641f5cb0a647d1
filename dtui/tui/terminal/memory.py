"""Keeps the memory of a viewer small where the C library keeps more than it needs."""

from __future__ import annotations

import logging

LOG = logging.getLogger(__name__)
M_ARENA_MAX = -8
"""Of glibc's malloc.h."""


def share_one_heap() -> None:
    """Have all threads allocate from one heap, where the C library is glibc.

    It gives each thread its own otherwise, and what one has freed no other takes: 40 MB after a walk over all screens.
    """
    try:
        import ctypes  # which a Python may have been built without

        ctypes.CDLL(None).mallopt(M_ARENA_MAX, 1)
    except (ImportError, OSError, AttributeError, TypeError):
        LOG.debug("no mallopt here")
