"""Names a class within a sentence."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from os.path import commonprefix

from dtui.safe_text import safe


def bare_name(classes: Sequence[str], label: int) -> str:
    """Return a class's name alone, harmless to show; its label where there is none.

    Args:
        classes: Names by label; data from outside.
        label: Any.
    """
    name = safe(classes[label]).strip() if 0 <= label < len(classes) else ""
    return name or str(label)


def telling_name(classes: Sequence[str], label: int) -> str:
    """Return a class's name without the first words that all classes share: "433" of "class 433". Harmless to show.

    Args:
        classes: Names by label; data from outside.
        label: Any.
    """
    name = bare_name(classes, label)
    shared = safe(_shared_words(tuple(classes)))
    return name.removeprefix(shared) or name


@lru_cache(maxsize=4)
def _shared_words(classes: tuple[str, ...]) -> str:
    shared = commonprefix(classes) if len(classes) > 1 else ""  # noqa: RUF071 - names are no paths
    return shared[: 1 + max(shared.rfind(end) for end in " _-/")]


def class_name(classes: Sequence[str], label: int) -> str:
    """Return a class's name, harmless to show; "class 8" where the name is a bare number or there is none.

    Among counts and shares, a class called "8" would read as one of them.

    Args:
        classes: Names by label; data from outside.
        label: Any.
    """
    name = safe(classes[label]) if 0 <= label < len(classes) else str(label)
    return f"class {name}" if name.isdecimal() or not name.strip() else name
