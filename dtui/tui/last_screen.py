"""The first screen of an ended run as this terminal showed it last: on it again before the run is read.

Owns the files in the user's cache that hold such screens, and what must be the same for one to be shown: every file of
the run, the terminal, and dtui. What has changed nevertheless is written as soon as the run is open.
"""

from __future__ import annotations

import os
import re
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from dtui.run_path import CACHE_FILE
from dtui.tui.terminal.releases import version
from dtui.user_cache import cache_folder, keep, read_kept
from dtui.version import __version__

if TYPE_CHECKING:
    from dtui.tui.renderables.canvas.cells import Cells
    from dtui.tui.renderables.canvas.output import Output
    from dtui.tui.renderables.canvas.theme import Theme
    from dtui.tui.renderables.canvas.writing import Shown

VERSION = 2
"""Raised when the layout of the files changes."""
MOST_KEPT = 32
LARGEST = 4 << 20
"""Bytes of one, packed or not: a screen of 500×120 has half of that."""
_ARRAYS = {"ch": "<u4", "fg": "<u4", "bg": "<u4", "bold": "u1", "mark": "u1"}
_CELL = 14
_PLAIN = re.compile(r"(?:[^\x00-\x1f\x7f-\x9f]|\x1b\[[0-9;]{0,40}[CHm])*")
"""What may be written: visible characters, colours, and moves of the cursor."""


class Sight(NamedTuple):
    """All that a first screen depends on, beside dtui itself.

    Attributes:
        run: The folder of the run.
        columns: Of the terminal.
        rows: Of the terminal.
        theme: The colours.
        mode: What colours the terminal shows, as a `ColorMode`.
        is_ascii: Whether only ASCII may be written.
        is_slow: Whether fewer steps of colours are used.
    """

    run: Path
    columns: int
    rows: int
    theme: Theme
    mode: str
    is_ascii: bool
    is_slow: bool

    def key(self) -> str:
        """Return what must be the same.

        Raises:
            OSError: The run cannot be looked at.
        """
        return repr((VERSION, __version__, version("textual"), self._looks(), sorted(_files(os.fspath(self.run)))))

    def file(self) -> Path | None:
        """Return where the screen is kept, one for each run and look; None where there is no place for it."""
        folder = cache_folder()
        return None if folder is None else folder / "screens" / f"{zlib.crc32(self._looks().encode()):08x}.screen"

    def _looks(self) -> str:
        return repr((os.path.realpath(self.run), *self._replace(theme=self.theme.name)[1:]))  # type: ignore[arg-type]


class LastScreen:
    """A screen that was kept.

    Attributes:
        sight: What it depends on.
        text: Escape sequences and glyphs that write it, whatever the terminal shows.
    """

    def __init__(self, sight: Sight, text: str, cells: bytes) -> None:
        """Take what was found for a sight."""
        self.sight, self.text = sight, text
        self._cells = cells

    def shown(self) -> Shown:
        """Return what the terminal shows when it is written. NumPy is imported only now."""
        import numpy as np

        from dtui.tui.renderables.canvas.cells import Cells
        from dtui.tui.renderables.canvas.output import ColorMode, Output
        from dtui.tui.renderables.canvas.writing import Shown

        _, columns, rows, theme, mode, is_ascii, _ = self.sight
        cells, at = Cells(columns, rows, theme), 0
        for name, kind in _ARRAYS.items():
            array = np.frombuffer(self._cells, kind, columns * rows, at)
            at += array.nbytes
            setattr(cells, name, array.reshape(rows, columns))
        shown = Shown(columns, rows)
        shown.take(cells, Output(ColorMode(mode), is_ascii))
        return shown


def find_last(sight: Sight) -> LastScreen | None:
    """Return the screen that was kept, if nothing has changed since; it need not have been written by us."""
    file = sight.file()
    packed = None if file is None else read_kept(file, LARGEST)
    if packed is None:
        return None
    try:
        unpacker = zlib.decompressobj()
        key, text, cells = unpacker.decompress(packed, LARGEST).split(b"\0", 2)
        is_whole = unpacker.eof and len(cells) == _CELL * sight.columns * sight.rows
        if not is_whole or key.decode() != sight.key() or not _PLAIN.fullmatch(found := text.decode()):
            return None
    except (OSError, ValueError, zlib.error):
        return None
    return LastScreen(sight, found, cells)


def keep_last(sight: Sight, cells: Cells, output: Output) -> None:
    """Keep a screen; where that fails the next start goes without.

    Args:
        sight: What it depends on.
        cells: What it shows.
        output: What they were drawn for.
    """
    import numpy as np

    from dtui.tui.renderables.canvas.cells import has_stand_ins
    from dtui.tui.renderables.canvas.writing import screen_text

    file = sight.file()
    if file is None or (cells.width, cells.height) != (sight.columns, sight.rows) or has_stand_ins(cells):
        return
    arrays = b"".join(np.ascontiguousarray(getattr(cells, name), kind).tobytes() for name, kind in _ARRAYS.items())
    with suppress(OSError, UnicodeEncodeError):
        parts = (sight.key().encode(), screen_text(cells, output).encode(), arrays)
        data = zlib.compress(b"\0".join(parts), 1)
        if data != read_kept(file, LARGEST):
            keep(file, data)
            _remove_oldest(file.parent)


def _remove_oldest(folder: Path) -> None:
    """Remove the screens that were kept first; what else lies there was put there by somebody."""
    files = sorted(folder.glob("*.screen*"), key=lambda path: path.lstat().st_mtime_ns, reverse=True)
    for path in files[MOST_KEPT:]:
        with suppress(OSError):
            path.unlink()


def _files(folder: str, depth: int = 2) -> Iterator[tuple[str, int, int, int]]:
    """Give name, inode, size and time of each file of a run but its cache, which says nothing new."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name == CACHE_FILE:
                continue
            if entry.is_dir(follow_symlinks=False) and depth > 1:
                yield from _files(entry.path, depth - 1)
            else:
                found = entry.stat(follow_symlinks=False)
                yield entry.path, found.st_ino, found.st_size, found.st_mtime_ns
