"""What a test wants to know of a reader: which of its values were read from the files."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from dtui.store import RunReader


def note_reads(
    monkeypatch: pytest.MonkeyPatch, *names: str, told: Callable[..., Any] = lambda name, *asked: name
) -> list[Any]:
    """Return a list that grows with each call of these methods of a reader: what `told` makes of name and arguments."""
    seen: list[Any] = []
    for name in names:
        whole = getattr(RunReader, name)

        def noted(reader: RunReader, *asked: Any, name: str = name, whole: Callable[..., Any] = whole) -> Any:
            seen.append(told(name, *asked))
            return whole(reader, *asked)

        monkeypatch.setattr(RunReader, name, noted)
    return seen
