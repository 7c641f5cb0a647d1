"""Reports signals that end a training, and then lets them end it, so that its exit status stays the same.

Owns all signal handling of dtui. A signal that the script, a requeue hook or a C library handles, or that is ignored as
under nohup, is not changed; it is only reported if it can be seen. Our own thread reads signals from Python's wake-up
pipe, if no other code uses the pipe. This is needed because a training that hangs in a collective operation never
returns to Python, where handlers run, and could not be stopped any more.
"""

from __future__ import annotations

import atexit
import ctypes
import os
import signal
import threading
import weakref
from contextlib import suppress
from types import FrameType
from typing import Protocol

REASONS = {
    signal.SIGTERM: "told to end, as by kill, scancel or the time limit of a job",
    signal.SIGHUP: "the terminal or the ssh session was closed",
    signal.SIGUSR1: "nobody handles it; schedulers send it before the time limit of a job",
    signal.SIGUSR2: "nobody handles it; schedulers send it before the time limit of a job",
    signal.SIGXCPU: "the limit of processor time was reached",
}
"""Signals that end a process which does not handle them, and what they mean."""

_ONLY_TOLD = (signal.SIGUSR1, signal.SIGUSR2)
"""A script that handles these goes on, as a rule: it writes a checkpoint."""

HURRY_SECONDS = 2.0
"""What is left for closing a run when a second signal comes."""
TURNS = 4
"""In so many: the clock goes on while a process is stopped, and that costs one turn."""

_libc = ctypes.CDLL(None)
_libc.signal.argtypes = (ctypes.c_int, ctypes.c_void_p)
_libc.signal.restype = ctypes.c_void_p


class Watch(Protocol):
    """What is told of signals."""

    def signalled(self, reason: str, *, ends: bool) -> None:
        """Note a signal that somebody else handles; the training may go on, and is expected not to where it `ends`."""

    def end(self, reason: str) -> None:
        """End the run: the process ends as soon as this returns."""

    def note(self, reason: str) -> None:
        """Note why the run is about to end, before anything that may take long."""


class _InsteadOfDefault:
    """Our handler. It replaces the default action, and says so to code that asks whether a handler is set."""

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """Do nothing if our thread reads the signal; otherwise start a thread: this one may hold any lock."""
        if not _is_read():
            threading.Thread(target=_seen, args=(number,), name="dtui-signal", daemon=True).start()

    def __eq__(self, other: object) -> bool:
        return other is self or other == signal.SIG_DFL

    __hash__ = object.__hash__  # by the hash of SIG_DFL, signal.getsignal would find that one and hand it out


_handler = _InsteadOfDefault()
_addresses: dict[int, int] = {}
"""Of the C handlers of the signals that have ours."""
_watches: tuple[weakref.ref[Watch], ...] = ()
_pipe: tuple[int, int] | None = None
_ending: threading.Thread | None = None
_lock = threading.Lock()
_caught_up = threading.Event()
_forking = threading.local()


def begin(watch: Watch) -> None:
    """Tell a watch of signals from now on; it is not kept alive. Handlers are installed by the main thread only."""
    global _watches
    _watches = (*_watches, weakref.ref(watch))
    if threading.current_thread() is threading.main_thread():
        for number in REASONS:
            if signal.getsignal(number) is signal.SIG_DFL and _address(number) == 0:
                signal.signal(number, _handler)
                _addresses[number] = _address(number)
        if _addresses and _pipe is None:
            _begin_reading()


def leave(watch: Watch) -> None:
    """Stop reporting to a watch."""
    global _watches
    _watches = tuple(known for known in _watches if known() not in (None, watch))
    give_back()


def give_back() -> None:
    """Give back every signal that nobody else has taken since, where no watch is left; the main thread alone can."""
    if _watches or threading.current_thread() is not threading.main_thread():
        return
    for number, address in _addresses.items():
        if signal.getsignal(number) is _handler and _address(number) == address:
            signal.signal(number, signal.SIG_DFL)
    _addresses.clear()
    _end_reading()


def catch_up() -> None:
    """Wait until the thread has told of every signal that Python knows of: a handler may have raised a moment ago."""
    if _pipe is not None:
        _caught_up.clear()
        with suppress(OSError):
            os.write(_pipe[1], b"\0")
            _ = any(_caught_up.wait(HURRY_SECONDS / TURNS) for _ in range(TURNS))


def wait_for_end() -> None:
    """Where a signal is ending the process, let it; a script that has come to its end would be faster."""
    catch_up()
    if _ending is not None:
        _ending.join()


def _living() -> list[Watch]:
    return [watch for known in _watches if (watch := known()) is not None]


def _seen(number: int) -> None:
    """Act upon a signal, on a thread of ours."""
    global _ending
    if number not in REASONS:
        return
    name = signal.Signals(number).name
    if signal.getsignal(number) is not _handler:
        for watch in _living():
            watch.signalled(f"{name}, which a handler of the script took", ends=number not in _ONLY_TOLD)
        return
    if _is_spared():
        for watch in _living():
            watch.signalled(f"{name}, which the first process of a container outlives", ends=False)
        return
    with _lock:
        is_first = _ending is None
        thread = threading.Thread(target=_end if is_first else _hurry, args=(number,), name="dtui-end", daemon=True)
        thread.start()
        if is_first:
            _ending = thread
            atexit.register(thread.join)


def _is_spared() -> bool:
    """Whether no default action ends this process: Linux spares the first of a container, as of `docker run`."""
    return os.getpid() == 1


def _end(number: int) -> None:
    """Close every run, and let the signal have its effect."""
    reason = f"{signal.Signals(number).name}: {REASONS[signal.Signals(number)]}"
    watches = _living()
    try:
        for watch in watches:
            watch.note(reason)
        for watch in watches:
            watch.end(reason)
    finally:
        _take_effect(number)


def _hurry(number: int) -> None:
    """Let a second signal have its effect, a moment later: a launcher and a scheduler often both send the first."""
    if _ending is not None:
        for _ in range(TURNS):
            _ending.join(HURRY_SECONDS / TURNS)
    _take_effect(number)


def _take_effect(number: int) -> None:
    _libc.signal(number, None)  # Python does it in the main thread only, which may never come back
    os.kill(os.getpid(), number)


def _address(number: int) -> int:
    """Return the address of a signal's handler, which Python does not know where C code has set it; 0 for default."""
    action = ctypes.create_string_buffer(512)
    _libc.sigaction(number, None, action)
    return ctypes.c_size_t.from_buffer(action).value


# --- the thread that reads of signals


def _begin_reading() -> None:
    global _pipe
    pipe = os.pipe()
    os.set_blocking(pipe[1], False)
    other = signal.set_wakeup_fd(pipe[1], warn_on_full_buffer=False)
    if other != -1:  # an event loop's
        signal.set_wakeup_fd(other)
        _close(pipe)
        return
    try:
        threading.Thread(target=_read, args=(pipe[0],), name="dtui-signals", daemon=True).start()
    except RuntimeError:  # the process has as many as it may: the handler tries again when there is a signal
        signal.set_wakeup_fd(-1)
        _close(pipe)
        return
    _pipe = pipe


def _read(source: int) -> None:
    try:
        while numbers := os.read(source, 64):
            for number in numbers:
                _seen(number) if number else _caught_up.set()
    finally:
        os.close(source)


def _end_reading() -> None:
    global _pipe
    if _pipe is not None:
        _take_wakeup(_pipe[1])
        os.close(_pipe[1])
        _pipe = None


def _take_wakeup(ours: int) -> None:
    other = signal.set_wakeup_fd(-1)
    if other not in (ours, -1):
        signal.set_wakeup_fd(other)


def _is_read() -> bool:
    """Whether the thread has been told of a signal for which the handler is called."""
    if _pipe is None:
        return False
    now = signal.set_wakeup_fd(_pipe[1], warn_on_full_buffer=False)
    if now != _pipe[1]:
        signal.set_wakeup_fd(now)
    return now == _pipe[1]


def _close(pipe: tuple[int, int]) -> None:
    for descriptor in pipe:
        os.close(descriptor)


# --- forks: a child has the default actions, and nothing that it is sent may reach the pipe of its parent


def _before_fork() -> None:
    _forking.mask = signal.pthread_sigmask(signal.SIG_BLOCK, _addresses)


def _after_in_parent() -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, _forking.mask)


def _after_in_child() -> None:
    global _watches, _pipe, _ending, _lock
    for number in _addresses:
        if signal.getsignal(number) is _handler:
            signal.signal(number, signal.SIG_DFL)
    _addresses.clear()
    if _pipe is not None:
        _take_wakeup(_pipe[1])
        _close(_pipe)
    _watches, _pipe, _ending, _lock = (), None, None, threading.Lock()
    signal.pthread_sigmask(signal.SIG_SETMASK, _forking.mask)


os.register_at_fork(before=_before_fork, after_in_parent=_after_in_parent, after_in_child=_after_in_child)
