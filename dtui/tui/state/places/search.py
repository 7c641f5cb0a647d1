"""Searches names with regular expressions; a "!" at the beginning inverts the search."""

from __future__ import annotations

import re
from collections.abc import Collection


def compile_search(pattern: str) -> tuple[re.Pattern[str] | None, bool]:
    """Return a search as a regular expression (None finds everything) and whether it is inverted.

    Raises:
        re.error: The pattern is no regular expression.
    """
    inverted = pattern.startswith("!")
    body = pattern[1:] if inverted else pattern
    return (re.compile(body, re.IGNORECASE) if body else None), inverted


def find_matches(pattern: str, names: Collection[str]) -> frozenset[int]:
    """Return the positions of the names that a search finds; an invalid search finds everything."""
    try:
        expression, inverted = compile_search(pattern)
    except re.error:
        expression, inverted = None, False
    if expression is None:
        return frozenset(range(len(names)))
    return frozenset(i for i, name in enumerate(names) if (expression.search(name) is None) == inverted)
