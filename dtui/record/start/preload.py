"""Imports the modules that the recorder's threads need, on the training's thread, when the recorder is made.

Owns the list of these modules. If our thread imports a module while the training forks data loader workers, the module
stays locked in the workers for ever. `tests/record/test_forks.py` checks that our threads import nothing; add missing
modules here.
"""

from __future__ import annotations

import sys
from importlib import import_module

from dtui.errors import MissingExtraError
from dtui.record.writing.warn import reason_of

_ALWAYS = (
    "linecache",  # warnings quote the line that they are about
    "tokenize",
    "tracemalloc",
    "zipfile",  # what the processes of a distributed training tell each other
    "numpy.lib.format",
)
_WRITING = ("dtui.store.write.run_writer", "dtui.store.write.resume", "dtui.store.disk.sealed_builder")
_PICTURES = ("PIL.PngImagePlugin", "PIL.JpegImagePlugin", "PIL.ImageFile")


def import_for_threads(*, is_writer: bool, has_pictures: bool, has_own_pictures: bool) -> None:
    """Import these modules.

    Args:
        is_writer: Whether this process writes the run.
        has_pictures: Whether thumbnails are made.
        has_own_pictures: Whether the user's code makes them; it may open files of any image format.

    Raises:
        MissingExtraError: One of them cannot be imported, as where PyTables does not fit the other libraries.
    """
    for name in (*_ALWAYS, *(_WRITING if is_writer else ()), *(_PICTURES if is_writer and has_pictures else ())):
        try:
            import_module(name)
        except Exception as error:
            remedy = f"install dtui again in {sys.prefix}"
            if not isinstance(error, ImportError):  # the import was interrupted before: half of it stays with Python
                remedy = "start Python (in a notebook: the kernel) again"
            raise MissingExtraError(
                f"recorder: a library that it needs cannot be loaded ({reason_of(error)}); {remedy}"
            ) from error
    if is_writer and has_pictures:
        from PIL import Image

        Image.preinit()  # what saving and opening a picture would do at the first
        if has_own_pictures:
            Image.init()
