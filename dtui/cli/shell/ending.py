"""Ends a command that is asked to: by SIGTERM, as from systemd, SLURM or timeout, or SIGHUP of a closed terminal."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def clean_end() -> Iterator[None]:
    """Let these signals end the block as Ctrl-C does, so that nothing is left half written or at work; die of them.

    A signal that is ignored, as after `nohup`, stays so. Outside the main thread nothing changes.
    """
    import signal  # what is only printed does not wait for it

    asked: list[int] = []

    def end(number: int, _: object) -> None:
        asked.append(number)
        signal.signal(number, signal.SIG_DFL)  # a second one does not wait
        raise KeyboardInterrupt

    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    heard = [number for number, how in before.items() if how != signal.SIG_IGN]
    try:
        for number in heard:
            signal.signal(number, end)
    except ValueError:  # not in the main thread
        heard = []
    try:
        yield
    except KeyboardInterrupt:
        if asked:
            os.kill(os.getpid(), asked[0])  # whoever asked sees that it was heard
        raise
    finally:
        for number in heard:
            signal.signal(number, before[number])
