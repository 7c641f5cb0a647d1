"""Reads the user's configuration: how the screen looks by default.

Owns `config.toml`. It never stops the start: what is wrong with it is told in one line, and passed over.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from dtui.errors import UsageError
from dtui.safe_text import safe
from dtui.user_cache import user_folder

LARGEST_FILE = 64 << 10


class Config(NamedTuple):
    """What a configuration says.

    Attributes:
        values: Defaults of options, by the name of the option's attribute.
        fault: One line on what was passed over; "" for nothing.
    """

    values: Mapping[str, Any]
    fault: str = ""


def read_config(allowed: Mapping[str, tuple[object, ...]]) -> Config:
    """Return the configuration, from below `XDG_CONFIG_HOME` or `~/.config`. Never raises.

    Args:
        allowed: The values that each key may have.
    """
    folder = user_folder("XDG_CONFIG_HOME", ".config")
    if folder is None:
        return Config({})
    path = folder / "config.toml"
    try:
        content = _content(path)
        import tomllib  # nobody waits for it who has no configuration

        found = tomllib.loads(content)
    except FileNotFoundError:
        return Config({})
    except Exception as error:  # noqa: BLE001  whatever is wrong with the file, dtui starts
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        return Config({}, f"{path}: passed over, {safe(reason, 200)}")
    faults = [_fault(name, value, allowed) for name, value in found.items()]
    values = {name: value for name, value in found.items() if not _fault(name, value, allowed)}
    told = "; ".join(fault for fault in faults if fault)
    return Config(values, f"{path}: {told}" if told else "")


def _content(path: Path) -> str:
    """Return the text of the file. A pipe would block, and a huge file fill the memory: both are refused."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise UsageError("not a plain file")
        content = file.read(LARGEST_FILE + 1)
    if len(content) > LARGEST_FILE:
        raise UsageError(f"longer than {LARGEST_FILE >> 10} KiB")
    return content.decode("utf-8")


def _fault(name: str, value: object, allowed: Mapping[str, tuple[object, ...]]) -> str:
    if name not in allowed:
        return f"no setting {safe(name, 40)!r}, there are {', '.join(allowed)}"
    if not any(type(value) is type(one) and value == one for one in allowed[name]):
        return f"{name} must be {_listed(allowed[name])}"
    return ""


def _listed(values: tuple[object, ...]) -> str:
    def written(value: object) -> str:
        return str(value).lower() if isinstance(value, bool) else f'"{value}"'

    *first, last = map(written, values)
    return f"{', '.join(first)} or {last}" if first else last
