"""Makes a string from outside harmless to show.

Owns the only filter between names found in files (class, layer, run, file names) and any display: terminal, Textual
widget, log line; and how many columns of a terminal such a string takes.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache

REPLACEMENT = "�"
ELLIPSIS = "…"
MOST_MARKS = 4
"""Combining marks that one letter keeps: a vowel, a tone and two more. A tower of them would cover other lines."""
_JOINERS = "\u200c\u200d"
_FIRST_JOINED = "\u0590"
"""Scripts that are written with joiners lie behind it, Latin, Greek and Cyrillic before it."""


@lru_cache(maxsize=16_384)
def safe(text: str, limit: int = 200) -> str:
    """Return `text` as one bounded line of visible characters.

    Control, bidirectional, zero-width, private-use, surrogate and unassigned characters become one U+FFFD a
    run of them; any kind of space becomes a plain one. A letter keeps its first `MOST_MARKS` combining marks (vowels
    and tones of Hindi or Thai); a mark without a letter becomes U+FFFD, and marks that enclose, or that choose among
    glyphs, are dropped. So are joiners behind letters of scripts that join.

    Args:
        text: Any string, also with lone surrogates as `os.fsdecode` leaves them.
        limit: Longest result in characters, >= 1; a longer one is cut and ends in an ellipsis.

    Returns:
        A string without line breaks and without escape sequences, in which every mark follows its letter.

    Source: dtui.
    """
    shown: list[str] = []
    marks = MOST_MARKS  # of the letter before; as if it had all, where there is none
    for character in unicodedata.normalize("NFC", text[: 4 * limit]):
        category = unicodedata.category(character)
        if category in ("Mn", "Mc"):
            if marks < MOST_MARKS:
                marks += 1
                if not _is_selector(character):
                    shown.append(character)
            elif not _is_selector(character) and (not shown or shown[-1] in f" {REPLACEMENT}"):
                _replace(shown)
            continue
        if character in _JOINERS and shown and shown[-1] >= _FIRST_JOINED and _is_letter_or_mark(shown[-1]):
            continue
        if category[0] == "C" or category in ("Zl", "Zp"):
            _replace(shown)
        elif category == "Zs":
            shown.append(" ")
        elif category != "Me":
            shown.append(character)
            marks = 0
            continue
        marks = MOST_MARKS
    result = "".join(shown)
    return result if len(result) <= limit and len(text) <= 4 * limit else result[: limit - 1] + ELLIPSIS


@lru_cache(maxsize=4_096)
def text_columns(text: str) -> int:
    """Return how many columns of a terminal a text takes that has passed `safe` (or is ours).

    A wide letter of East Asia takes two, a mark above or below its letter none, and one beside it one.
    """
    if text.isascii():
        return len(text)
    return sum(map(_columns, text))


def is_zero_wide(character: str) -> bool:
    """Whether a character stands above or below the one before it."""
    return _columns(character) == 0


def _is_letter_or_mark(character: str) -> bool:
    """Whether a character is a letter, or a mark of one."""
    return unicodedata.category(character)[0] in "LM"


@lru_cache(maxsize=65_536)
def _columns(character: str) -> int:
    if unicodedata.category(character) == "Mn":
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _is_selector(character: str) -> bool:
    """Whether a mark has no shape of its own: it chooses among glyphs, or joins nothing to nothing."""
    return character == "\u034f" or "\ufe00" <= character <= "\ufe0f" or "\U000e0100" <= character <= "\U000e01ef"


def _replace(shown: list[str]) -> None:
    if not shown or shown[-1] != REPLACEMENT:
        shown.append(REPLACEMENT)


def can_be_typed(name: str) -> bool:
    """Whether a name from outside can be a word of a command that somebody copies: it is shown as it is, no option."""
    return safe(name) == name and name.strip() == name != "" and not name.startswith("-")
