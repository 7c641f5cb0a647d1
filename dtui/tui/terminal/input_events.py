"""Turns terminal input into Textual's events, and drops input that Textual cannot use.

Owns which sequences reach Textual's parser: only complete ones that it knows. It would type any other sequence out,
character by character.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator

from textual import events
from textual._ansi_sequences import ANSI_SEQUENCES_KEYS
from textual._keyboard_protocol import FUNCTIONAL_KEYS
from textual._xterm_parser import XTermParser
from textual.message import Message

from dtui.tui.terminal.background import read_answer
from dtui.tui.terminal.input_bytes import Kind, Token

LOG = logging.getLogger(__name__)
KNOWN_VERSIONS = frozenset({"8.2.8"})
"""Releases of Textual whose parser was read and tested with this; with any other its own driver reads the keys."""

_MOUSE = re.compile(r"\x1b\[<\d{1,4};-?\d{1,5};-?\d{1,5}[Mm]")
_EXTENDED = re.compile(r"\x1b\[[\d:;]*[u~ABCDEFHPQRS]")
"""What Textual takes for a key with parameters, before it looks into its table: `ESC [ 63 ~` would be a `?`."""

_EXTENDED_KEY = re.compile(r"\x1b\[(\d{0,7})(?:;(\d{0,3})(?:;([\d:]*))?)?([u~ABCDEFHPQS])")
_SYNCHRONIZED = re.compile(r"\x1b\[\?2026;[1-4]\$y")
_CONTROL_KEYS = (8, 9, 13, 27, 127)
_LONGEST_PARSED = 32
"""Characters of the longest sequence that Textual's parser takes; of a longer one it types out every character."""

_LAST_CHARACTER = 0x10FFFF


class InputEvents:
    """From tokens to events."""

    def __init__(self) -> None:
        """Begin with no button pressed."""
        self._parser = XTermParser()

    def events_of(self, token: Token) -> Iterator[Message]:
        """Yield the events of a token; none for a report that was not requested."""
        if token.kind is Kind.ESCAPE:
            yield events.Key("escape", "\x1b")
        elif token.kind is Kind.PASTE:
            yield events.Paste(token.text.replace("\x00", ""))
        elif token.kind is Kind.TEXT:
            yield from self._parse(token.text)
        elif token.kind is Kind.ANSWER:
            told = read_answer(token.text)
            if told is not None:
                yield told
        elif is_known(token.text):
            is_long = len(token.text) > _LONGEST_PARSED
            yield from self._parse(_text_of(token.text) if is_long else token.text)

    def _parse(self, text: str) -> Iterator[Message]:
        if not text:
            return  # the parser takes it for the end
        try:
            yield from list(self._parser.feed(text))
        except Exception:  # what cannot be parsed costs itself, not the keyboard
            LOG.exception("%r: cannot be parsed", text)
            self._parser = XTermParser()


def is_known(sequence: str) -> bool:
    """Whether a whole sequence is a key, the mouse, or the one answer that Textual waits for.

    A word on the focus, which another program may have left on, is none: Textual would repaint the whole screen.
    """
    if _EXTENDED.fullmatch(sequence):
        return _is_extended_key(sequence)
    if isinstance(ANSI_SEQUENCES_KEYS.get(sequence), tuple):
        return True
    return any(pattern.fullmatch(sequence) for pattern in (_MOUSE, _SYNCHRONIZED))


def _is_extended_key(sequence: str) -> bool:
    """Whether a sequence that Textual takes for a key with parameters is one."""
    match = _EXTENDED_KEY.fullmatch(sequence)
    if match is None:
        return False
    code, _, text, end = match.groups(default="")
    if not all(len(part) <= 7 and _is_character(int(part)) for part in text.split(":") if part):
        return False
    if end == "u":
        number = int(code or 0)
        if number == 0:  # text without a key: from an input method
            return bool(text)
        if 0xE000 <= number < 0xF900:  # where Kitty has its keys without characters
            return f"{number}u" in FUNCTIONAL_KEYS
        return number in _CONTROL_KEYS or _is_character(number)
    if end == "~":
        return f"{code}~" in FUNCTIONAL_KEYS or (code == "27" and bool(text))
    return code in ("", "1")


def _text_of(sequence: str) -> str:
    """Return the text that a key with parameters carries, as Kitty sends a word from an input method."""
    match = _EXTENDED_KEY.fullmatch(sequence)
    return "".join(chr(int(part)) for part in match[3].split(":") if part) if match and match[3] else ""


def _is_character(number: int) -> bool:
    return 0x20 <= number <= _LAST_CHARACTER and not 0x7F <= number < 0xA0 and not 0xD800 <= number < 0xE000
