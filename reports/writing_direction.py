"""Keeps names that are written from right to left apart from what stands beside them.

A browser, a mail program and a typesetter put a number behind Arabic or Hebrew letters on their other side: "class X
12 %" would read "class 12 X %". Owns the only marks against that. Words of ours are all written from left to right, so
each run of letters of the other direction is a name, or a part of one.
"""

from __future__ import annotations

import re

ISOLATE, END = "\u2068", "\u2069"
"""FIRST STRONG ISOLATE and POP DIRECTIONAL ISOLATE: no width, no shape."""
_LETTERS = "\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\U00010800-\U00010fff\U0001e800-\U0001eeff"
_RUN = re.compile(f"[{_LETTERS}](?:[{_LETTERS}]|[ '’_./&\u2010\\-](?=[{_LETTERS}]))*")
"""A name of several words is one run; two names with a comma between them are two."""
_TAG = re.compile(r"<(script|style|title|text)\b.*?</\1>|<[^>]*>", re.DOTALL)
"""What of a page no element may stand in: raw text, the text of a picture, and the inside of a tag."""
_SAID = re.compile(r'(?<=\s)((?:aria-label|alt|title|data-description)=")([^"]*)')


def isolated(text: str) -> str:
    """Return a text whose names in letters from right to left stand between marks; any other text as it is."""
    return text if text.isascii() else _RUN.sub(rf"{ISOLATE}\g<0>{END}", text)


def isolated_page(page: str) -> str:
    """Return a page whose names in letters from right to left stand apart.

    In its text they get an element, so that who copies a name or a command gets nothing else; where no element can
    stand, marks. Addresses stay as they are.
    """
    if _RUN.search(page) is None:
        return page
    parts, end = [], 0
    for found in _TAG.finditer(page):
        parts += [_in_text(page[end : found.start()]), _in_tag(found)]
        end = found.end()
    return "".join((*parts, _in_text(page[end:])))


def _in_text(text: str) -> str:
    return text if text.isascii() else _RUN.sub(r"<bdi>\g<0></bdi>", text)


def _in_tag(found: re.Match[str]) -> str:
    if found[1]:
        return isolated(found[0])
    return _SAID.sub(lambda said: said[1] + isolated(said[2]), found[0])
