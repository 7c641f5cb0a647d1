"""Runs a command in the foreground, as if the shell had started it: its terminal, its signals and its exit are its own.

Owns which signals are passed on. What the terminal sends reaches the command without us.
"""

from __future__ import annotations

import os
import resource
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress

_SI_KERNEL = 0x80
"""Of asm-generic/siginfo.h: a signal that the terminal sent to its whole foreground group, the command included."""

_GRACE_SECONDS = 1.0
"""How long a signal is held back: one that was sent to the whole group, as by scancel, has reached the command already,
and a second one makes a training end in haste."""

_PASSED = {
    *(signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2),
    *(signal.SIGALRM, signal.SIGXCPU, signal.SIGWINCH),
}


def run_child(command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run a command and wait for it; returns its exit code, or minus the signal that ended it.

    Raises:
        OSError: It cannot be started.
    """
    waited = _PASSED | {signal.SIGCHLD}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, waited)
    try:
        child = subprocess.Popen(
            command,
            env=dict(environment),
            close_fds=False,
            restore_signals=True,
            preexec_fn=lambda: signal.pthread_sigmask(signal.SIG_SETMASK, before),
        )
        while True:
            code = child.poll()
            if code is not None:
                return code
            got = signal.sigwaitinfo(waited)
            if got.si_signo != signal.SIGCHLD and got.si_code != _SI_KERNEL:
                signal.sigtimedwait({signal.SIGCHLD}, _GRACE_SECONDS)
                if child.poll() is None:
                    child.send_signal(got.si_signo)
    finally:
        while signal.sigtimedwait(waited, 0):
            pass  # one that ended the command as it reached us would end us before we say what was recorded
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def end_like(code: int) -> int:
    """End as the command did: by the same signal where one ended it. Returns the exit code otherwise."""
    if code >= 0:
        return code
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # the command has written one, if any
        signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    return 128 - code
