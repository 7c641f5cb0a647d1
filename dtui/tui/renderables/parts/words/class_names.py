"""Names a class within a sentence."""

from __future__ import annotations

from collections.abc import Sequence

from dtui.safe_text import safe


def bare_name(classes: Sequence[str], label: int) -> str:
    """Return a class's name alone, harmless to show; its label where there is none.

    Args:
        classes: Names by label; data from outside.
        label: Any.
    """
    name = safe(classes[label]).strip() if 0 <= label < len(classes) else ""
    return name or str(label)


def class_name(classes: Sequence[str], label: int) -> str:
    """Return a class's name, harmless to show; "class 8" where the name is a bare number or there is none.

    Among counts and shares, a class called "8" would read as one of them.

    Args:
        classes: Names by label; data from outside.
        label: Any.
    """
    name = safe(classes[label]) if 0 <= label < len(classes) else str(label)
    return f"class {name}" if name.isdecimal() or not name.strip() else name
