"""Provides the JavaScript that draws charts in the reader's browser, made once per version.

Owns its cache: making the script takes seconds, reading it milliseconds. A damaged or missing cache only costs time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path

from dtui.user_cache import cache_folder, keep, read_kept

_LARGEST = 64 << 20


def vega_bundle(make: Callable[[], str], folder: Path | None = None) -> str:
    """Return the bundle as one script that defines nothing but `vegaEmbed`.

    Args:
        make: Makes the bundle anew.
        folder: Where it is kept; None for the user's cache.

    Returns:
        A script without "</script" and "<!--", so it can be put into a page unchanged.

    Source: dtui.
    """
    folder = folder if folder is not None else cache_folder()
    name = f"vega-embed-{version('vl-convert-python')}.js"
    kept = _read(folder / name) if folder is not None else None
    if kept is not None:
        return kept
    script = "(function(){" + make().replace("</script", "<\\/script").replace("<!--", "<\\!--") + "\n})();"
    if folder is not None and "vegaEmbed" in script:  # an answer of something else would stay for ever
        with suppress(OSError):
            keep(folder / name, f"{_checksum(script)}\n{script}".encode())
    return script


def _read(path: Path) -> str | None:
    """Return the cached script; None if there is none, or if it has changed since it was written."""
    checksum, _, script = (read_kept(path, _LARGEST) or b"").decode(errors="replace").partition("\n")
    return script if checksum == _checksum(script) else None


def _checksum(script: str) -> str:
    return "// sha256 " + hashlib.sha256(script.encode("utf-8")).hexdigest()
