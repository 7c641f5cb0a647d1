"""A short list that a person chooses from: what a key opens where there are too many values to step through."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dtui.dataclass_on_use import dataclass

KEYS = "123456789abcdefimnoprstuvwxyzABCDEFHILMNOPRSTUVWXYZ"
"""One key chooses each: those that move, open and close a list (j k g G h l q) are left out."""


@dataclass(frozen=True, slots=True)
class Option:
    """One line of the list.

    Attributes:
        words: What it is called.
        step: A `Step`, from the scene to the selection with it.
        help: Behind it, muted; "" for none.
        group: A heading above it where it differs from that of the line before; "" for none.
    """

    words: str
    step: Callable[[Any], Any]
    help: str = ""
    group: str = ""


@dataclass(frozen=True, slots=True)
class Choice:
    """The list.

    Attributes:
        title: What is chosen.
        options: In order.
        chosen: Place of the one that is shown now; -1 for none.
    """

    title: str
    options: tuple[Option, ...]
    chosen: int = -1
