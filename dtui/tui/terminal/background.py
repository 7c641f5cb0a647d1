"""Finds out whether the terminal's background is light: from its environment, and by asking it (OSC 11)."""

from __future__ import annotations

import re
from collections.abc import Mapping

from textual.message import Message

ASK = "\x1b]11;?\x1b\\"
_ANSWER = re.compile(r"\x1b\]11;rgba?:([0-9a-fA-F]{1,4})/([0-9a-fA-F]{1,4})/([0-9a-fA-F]{1,4})")
_LIGHT = ("7", "15")
"""White and bright white, in COLORFGBG."""


class BackgroundTold(Message):
    """The terminal said what its background is."""

    def __init__(self, is_light: bool) -> None:
        """Store whether dark letters are read on it."""
        super().__init__()
        self.is_light = is_light


def read_answer(sequence: str) -> BackgroundTold | None:
    """Return what an OSC sequence says about the background, None for nothing; its end is left out."""
    match = _ANSWER.match(sequence)
    if match is None:
        return None
    red, green, blue = (int(part, 16) / (16 ** len(part) - 1) for part in match.groups())
    return BackgroundTold(0.299 * red + 0.587 * green + 0.114 * blue > 0.5)


def is_light(environment: Mapping[str, str]) -> bool:
    """Whether the environment says that the background is light; most terminals say nothing there."""
    return environment.get("COLORFGBG", "").rpartition(";")[2] in _LIGHT
