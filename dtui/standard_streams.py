"""Keeps the numbers of standard input, output and error from files of ours, in a process that was started without them.

Owns what stands there instead.
"""

from __future__ import annotations

import os


def occupy_closed() -> None:
    """Open the null device in place of each closed standard stream.

    The next file that is opened would get its number, and with it all that C code of torch, NCCL or HDF5 prints: a line
    that falls into our pipe of signals would end the training. Child processes do not inherit it.
    """
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free, which is this one
