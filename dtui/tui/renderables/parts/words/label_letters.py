"""Letters that stand for labels where a terminal has no colours."""

from __future__ import annotations

LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
"""Like a colour, a label keeps its letter for the whole run."""


def letter_of(label: int) -> str:
    """Return the letter that stands for a label."""
    return LETTERS[label % len(LETTERS)]
