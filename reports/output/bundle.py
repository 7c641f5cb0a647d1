"""Provides the JavaScript that draws charts in the reader's browser, made once per version.

Owns its cache: making the script takes seconds, reading it milliseconds. A damaged or missing cache only costs time.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path


def cache_folder() -> Path:
    """Return the folder for files that dtui can make again."""
    home = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(home) if Path(home).is_absolute() else Path.home() / ".cache") / "dtui"


def vega_bundle(make: Callable[[], str], folder: Path | None = None) -> str:
    """Return the bundle as one script that defines nothing but `vegaEmbed`.

    Args:
        make: Makes the bundle anew.
        folder: Where it is kept; None for the user's cache.

    Returns:
        A script without "</script" and "<!--", so it can be put into a page unchanged.

    Source: dtui.
    """
    try:
        folder = folder if folder is not None else cache_folder()
    except RuntimeError:
        folder = None
    name = f"vega-embed-{version('vl-convert-python')}.js"
    kept = _read(folder / name) if folder is not None else None
    if kept is not None:
        return kept
    script = "(function(){" + make().replace("</script", "<\\/script").replace("<!--", "<\\!--") + "\n})();"
    if folder is not None and "vegaEmbed" in script:  # an answer of something else would stay for ever
        with suppress(OSError):
            _keep(folder / name, script)
    return script


def _read(path: Path) -> str | None:
    """Return the cached script; None if there is none, or if it has changed since it was written."""
    try:
        checksum, _, script = path.read_text(encoding="utf-8").partition("\n")
    except (OSError, UnicodeDecodeError):
        return None
    return script if checksum == _checksum(script) else None


def _keep(path: Path, script: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(f"{_checksum(script)}\n{script}")
        Path(temporary).replace(path)
    except OSError:
        Path(temporary).unlink(missing_ok=True)
        raise


def _checksum(script: str) -> str:
    return "// sha256 " + hashlib.sha256(script.encode("utf-8")).hexdigest()
