"""Imports a module when something of it is first used, not where it is named.

For modules that answer one question of many: a person who asks the first need not wait for the others to be imported.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any


class ModuleOnUse:
    """Stands for a module that is imported at the first use of a name in it."""

    def __init__(self, name: str) -> None:
        """Name the module; nothing is imported."""
        self.__module = name

    def __getattr__(self, name: str) -> Any:
        """Import the module, if that has not happened, and return what it calls `name`."""
        value = getattr(import_module(self.__module), name)
        setattr(self, name, value)
        return value


def on_use(package: str, *names: str) -> tuple[Any, ...]:
    """Return modules of a package, each imported on use.

    For a linter and a type checker, name them behind `if TYPE_CHECKING:` as well.
    """
    return tuple(ModuleOnUse(f"{package}.{name}") for name in names)
