"""Marks of Vega, written shortly: what a chart says of one is what differs from all others."""

from __future__ import annotations

from collections.abc import Mapping

from dtui.reports.document import Spec

Channels = Mapping[str, object]
"""Channel to its value, or to a `field` or a `signal`."""


def field(name: str) -> Spec:
    """Return the value of a channel that is in a row's field."""
    return {"field": name}


def signal(expression: str) -> Spec:
    """Return the value of a channel that an expression gives."""
    return {"signal": expression}


def mark(kind: str, enter: Channels, update: Channels | None = None, *, data: str = "", name: str = "") -> Spec:
    """Return a mark.

    Args:
        kind: Of mark, such as "rect".
        enter: Channels that never change.
        update: Channels that follow signals; None for none.
        data: Has a row for each; "" for one alone.
        name: By which signals know it; the pointer passes over one without.
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
