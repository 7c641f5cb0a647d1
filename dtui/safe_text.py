"""Makes a string from outside harmless to show.

Owns the only filter between names found in files (class, layer, run, file names) and any display: terminal, Textual
widget, log line.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache

REPLACEMENT = "�"
ELLIPSIS = "…"


@lru_cache(maxsize=16_384)
def safe(text: str, limit: int = 200) -> str:
    """Return `text` as one bounded line of visible characters.

    Control, bidirectional, zero-width, private-use, surrogate and unassigned characters become one U+FFFD a
    run of them; combining marks are dropped after composition, so that one code point is one glyph; any
    kind of space becomes a plain one.

    Args:
        text: Any string, also with lone surrogates as `os.fsdecode` leaves them.
        limit: Longest result in characters, >= 1; a longer one is cut and ends in an ellipsis.

    Returns:
        A string without line breaks and without escape sequences.

    Source: dtui.
    """
    shown: list[str] = []
    for character in unicodedata.normalize("NFC", text[: 4 * limit]):
        category = unicodedata.category(character)
        if category[0] == "C" or category in ("Zl", "Zp"):
            if not shown or shown[-1] != REPLACEMENT:
                shown.append(REPLACEMENT)
        elif category == "Zs":
            shown.append(" ")
        elif category[0] != "M":
            shown.append(character)
    result = "".join(shown)
    return result if len(result) <= limit and len(text) <= 4 * limit else result[: limit - 1] + ELLIPSIS
