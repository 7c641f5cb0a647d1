"""Imports kernels where numba can keep what it compiles: else each start would compile for some seconds.

Owns the line that tells of the compiling, and the one on a machine that has no folder for the kernels.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from dtui.errors import DtuiError
from dtui.record.writing.warn import tell_once

COMPILING = "compiling"
_TOLD = "dtui: numba compiles dtui's kernels for this CPU; that takes some seconds, once, and is kept"
_NO_FOLDER = "no folder for compiled code can be written{}; set NUMBA_CACHE_DIR to one that can"


class NoKernelFolderError(DtuiError, OSError):
    """numba finds no folder to keep compiled kernels in."""

    def __init__(self, why: str = "") -> None:
        """Say so, and why if that is known."""
        super().__init__(_NO_FOLDER.format(f" ({why})" if why else ""))


@contextmanager
def kept_kernels(module: str) -> Iterator[None]:
    """Import kernels inside of it, and tell if they have to be compiled.

    Args:
        module: Path of one of the modules: numba tries the folder that it lies in first.

    Raises:
        NoKernelFolderError: They cannot be kept on disk.
    """
    if not (os.environ.get("NUMBA_CACHE_DIR") or _has_folder(os.path.dirname(module))):
        raise NoKernelFolderError
    try:
        with _told_if_compiled():
            yield
    except OSError as error:
        raise NoKernelFolderError(error.strerror or "") from error
    except RuntimeError as error:
        if "no locator available" not in str(error):
            raise
        raise NoKernelFolderError from error


@contextmanager
def _told_if_compiled() -> Iterator[None]:
    """Tell as soon as numba compiles something, not where it loads what it has kept."""
    from numba.core import event

    class Teller(event.Listener):
        def on_start(self, event: object) -> None:
            tell_once(COMPILING, _TOLD)

        def on_end(self, event: object) -> None: ...

    with event.install_listener("numba:compile", Teller()):
        yield


def _has_folder(beside: str) -> bool:
    """Whether numba would keep them in a folder of this installation or of this user.

    Without a home, as a user of a container may be, it would make a folder named ~ where the training works.
    """
    inside = os.path.join(beside, "__pycache__")
    if os.access(inside if os.path.isdir(inside) else beside, os.W_OK):
        return True
    return os.path.isabs(os.environ.get("XDG_CACHE_HOME", os.path.expanduser("~")))
