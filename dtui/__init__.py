"""See inside the training of a neural network, from the terminal of the server it runs on.

The public names are loaded on first use, so that `import dtui` itself costs nothing and a viewer never
imports torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from dtui.version import __version__

if TYPE_CHECKING:
    from dtui.query import RunQuery, open_run
    from dtui.record import Recorder

__all__ = ["Recorder", "RunQuery", "__version__", "open_run"]

_HOMES = {"Recorder": "dtui.record", "RunQuery": "dtui.query", "open_run": "dtui.query"}


def __getattr__(name: str) -> Any:
    """Import a public name from its home when it is first asked for."""
    try:
        home = _HOMES[name]
    except KeyError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
    try:
        return getattr(import_module(home), name)
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        from dtui.errors import MissingExtraError

        raise MissingExtraError(
            f"dtui.{name}: PyTorch is not installed; install dtui with its extra [record]"
        ) from error
