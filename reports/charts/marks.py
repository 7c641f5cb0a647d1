"""Builds Vega marks in short form: a chart states only what is special about a mark."""

from __future__ import annotations

from collections.abc import Mapping

from dtui.reports.document import Spec

Channels = Mapping[str, object]
"""Channel to its value, or to a `field` or a `signal`."""


def field(name: str) -> Spec:
    """Return a channel value that comes from a field of the row."""
    return {"field": name}


def signal(expression: str) -> Spec:
    """Return a channel value that comes from an expression."""
    return {"signal": expression}


def mark(kind: str, enter: Channels, update: Channels | None = None, *, data: str = "", name: str = "") -> Spec:
    """Return a mark.

    Args:
        kind: Type of the mark, such as "rect".
        enter: Channels that never change.
        update: Channels that follow signals; None for none.
        data: Data set with one row per mark; "" for a single mark.
        name: Name for use in signals; a mark without a name ignores the pointer.
    """
    made: Spec = {"type": kind, "aria": False, "interactive": bool(name)}
    if name:
        made["name"] = name
    if data:
        made["from"] = {"data": data}
    encode = {"enter": enter} if update is None else {"enter": enter, "update": update}
    made["encode"] = {
        when: {channel: value if isinstance(value, dict) else {"value": value} for channel, value in channels.items()}
        for when, channels in encode.items()
    }
    return made
