"""Splits the bytes from a terminal into tokens: keys, pasted text, and reports of the terminal.

Owns the rule for when an ESC is the key Esc. Uses no clock, no file and no Textual: bytes and times go in, tokens come
out. Control sequences are recognised as ECMA-48 defines them, wherever the input is split.
"""

from __future__ import annotations

import re
from enum import Enum, auto

from dtui.dataclass_on_use import dataclass

ESCAPE_SECONDS = 0.1
"""An ESC with nothing after it for so long is the key Esc. As in Textual; ESCDELAY changes it."""

TOGETHER_SECONDS = 0.02
"""ESC and a character that come nearer than this are one key with Alt, which dtui has no use for; else two keys."""

AFTER_REPORT_SECONDS = 0.5
"""How long an ESC right behind a report is held: the terminal is talking, and the next report may be cut there."""

INTRODUCER_SECONDS = 0.3
"""How long a `[` or `]` soon after Esc is held: it may be a key, or the rest of a report that was cut after its ESC."""

REST_SECONDS = 2.5
"""How long the rest of a sequence may take from one byte to the next; then what came of it is dropped."""

PASTE_SECONDS = 10.0
"""How long a paste may stall; then what came of it is pasted."""

LONGEST_SEQUENCE = 1024
"""Bytes of the longest sequence worth passing on; a longer one is read to its end and dropped."""

LONGEST_PASTE = 1 << 20
"""Bytes of a paste that are kept; the rest is dropped."""

PASTE_BEGIN, PASTE_END, _BACKGROUND = b"\x1b[200~", b"\x1b[201~", b"\x1b]11;"
ESC, BEL, STRING_TERMINATOR = 0x1B, 0x07, 0x9C
_INTRODUCERS = b"[O]P_^X"
"""What makes a sequence of an ESC: CSI, SS3, OSC, DCS, APC, PM, SOS; C1 controls are these plus 0x40, less the ESC."""

_RESTS = {
    ord("["): re.compile(rb"[0-9<=>?IOMABCDEFHPQZ]"),
    ord("O"): re.compile(rb"[ABCDFHPQRS]"),
    ord("]"): re.compile(rb"[0-9lL]"),
    ord("P"): re.compile(rb"[0-9>!]"),
    ord("_"): re.compile(rb"[ -~]"),
    ord("^"): re.compile(rb"[ -~]"),
    ord("X"): re.compile(rb"[ -~]"),
}
"""What follows an introducer where the two are the rest of a report or a key, and not two keys."""

_REPORT = re.compile(rb"\x1b\[([<=>?].*|[0-9;]*[IMORcnty])")
"""What no key sends."""

_RXVT_KEY = re.compile(rb"\x1b\[(3|7|8|23|24)\$")
"""Keys with Shift as rxvt sends them: they end where the standard has no end."""


class Kind(Enum):
    """What a token is."""

    TEXT = auto()
    """Characters as typed, control characters included."""
    ESCAPE = auto()
    """The key Esc."""
    SEQUENCE = auto()
    """A whole CSI or SS3 sequence, or a character with Alt: a key, the mouse, or a report."""
    PASTE = auto()
    """A pasted text."""
    ANSWER = auto()
    """What the terminal says of its background."""


@dataclass(frozen=True, slots=True)
class Token:
    """A complete unit of input from the terminal.

    Attributes:
        kind: What it is.
        text: The characters; a sequence includes its ESC. Bytes that are not characters are left out.
    """

    kind: Kind
    text: str


class _State(Enum):
    GROUND = auto()
    ESCAPE = auto()
    LATE = auto()  # an introducer soon after Esc was told, or in one byte of 8 bits
    CSI = auto()
    SS3 = auto()
    X10 = auto()
    STRING = auto()
    STRING_ESCAPE = auto()
    PASTE = auto()


class InputBytes:
    """A state machine from bytes to tokens."""

    def __init__(self, escape_seconds: float = ESCAPE_SECONDS) -> None:
        """Begin with nothing pending.

        Args:
            escape_seconds: How long an ESC with nothing after it is held.
        """
        self._escape_seconds = escape_seconds
        self._state = _State.GROUND
        self._pending = bytearray()
        self._character = bytearray()
        self._tokens: list[Token] = []
        self._typed: list[str] = []
        self._now = 0.0
        self._last = float("-inf")
        self._reported = float("-inf")
        self._late_until = float("-inf")
        self._by_c1 = False

    @property
    def deadline(self) -> float | None:
        """Time at which `expire` must be called if no byte comes before; None for never."""
        wait = {
            _State.GROUND: None,
            _State.ESCAPE: self._escape_wait,
            _State.LATE: INTRODUCER_SECONDS,
            _State.PASTE: PASTE_SECONDS,
        }.get(self._state, REST_SECONDS)
        return None if wait is None else self._last + wait

    def feed(self, data: bytes, now: float) -> list[Token]:
        """Take bytes with their time, and return the tokens that they complete.

        Args:
            data: As read; any bytes, split anywhere.
            now: Seconds of a monotonic clock.
        """
        self._now = now
        for byte in data:
            self._take(byte)
            self._last = now
        return self._flush()

    def expire(self, now: float) -> list[Token]:
        """Return the tokens that are certain because no more bytes came until now and none wait to be read."""
        deadline = self.deadline
        if deadline is None or now < deadline:
            return []
        state, pending = self._state, bytes(self._pending)
        self._reset()
        self._now = now
        if state is _State.ESCAPE:
            self._tell(Kind.ESCAPE, "\x1b")
            self._late_until = now + REST_SECONDS
        elif state is _State.LATE and not self._by_c1:
            self._typed.append(chr(pending[-1]))
        elif state is _State.PASTE:
            self._tell_paste(pending)
        return self._flush()

    @property
    def _escape_wait(self) -> float:
        near = self._last - self._reported <= self._escape_seconds
        return max(self._escape_seconds, AFTER_REPORT_SECONDS) if near else self._escape_seconds

    # --- what comes out

    def _reset(self) -> None:
        self._state = _State.GROUND
        self._pending.clear()

    def _flush(self) -> list[Token]:
        self._end_typed()
        tokens, self._tokens = self._tokens, []
        return tokens

    def _end_typed(self) -> None:
        if self._typed:
            self._tokens.append(Token(Kind.TEXT, "".join(self._typed)))
            self._typed.clear()

    def _tell(self, kind: Kind, text: str) -> None:
        self._end_typed()
        self._tokens.append(Token(kind, text))

    def _tell_paste(self, data: bytes) -> None:
        self._tell(Kind.PASTE, data[:LONGEST_PASTE].decode("utf-8", "ignore"))

    def _complete(self) -> None:
        """Handle a complete sequence."""
        sequence = bytes(self._pending)
        self._reset()
        self._reported = self._now if _REPORT.match(sequence) else self._reported
        if sequence == PASTE_BEGIN:
            self._state = _State.PASTE
        elif len(sequence) <= LONGEST_SEQUENCE and sequence != PASTE_END:
            self._tell(Kind.SEQUENCE, sequence.decode("ascii"))

    # --- what goes in

    def _take(self, byte: int) -> None:
        state = self._state
        if state is _State.GROUND:
            self._take_typed(byte)
        elif state is _State.PASTE:
            self._take_pasted(byte)
        elif state is _State.ESCAPE:
            self._take_after_escape(byte)
        elif state is _State.LATE:
            self._take_late(byte)
        elif state is _State.STRING_ESCAPE:
            self._take_string_end(byte)
        elif byte < 0x20 or (byte == 0x7F and state is not _State.X10):
            self._take_control(byte)
        elif state is _State.STRING:
            if byte == STRING_TERMINATOR and self._by_c1:
                self._end_report()
            elif len(self._pending) <= LONGEST_SEQUENCE:
                self._pending.append(byte)
        elif state is _State.X10:
            self._pending.append(byte)
            if len(self._pending) == len("\x1b[Mbxy"):
                self._end_report()
        elif byte >= 0x80:
            self._reset()
            self._take_typed(byte)
        elif state is _State.SS3:
            self._pending.append(byte)
            self._complete()
        else:
            self._take_csi(byte)

    def _take_typed(self, byte: int) -> None:
        if self._character and 0x80 <= byte < 0xC0:
            self._character.append(byte)
            self._take_character()
            return
        self._character.clear()  # what was not finished was no character
        late, self._late_until = self._now < self._late_until, float("-inf")
        if byte == ESC:
            self._state = _State.ESCAPE
            self._pending[:] = b"\x1b"
        elif late and byte in _INTRODUCERS:
            self._hold(byte, by_c1=False)
        elif byte < 0x80:
            self._typed.append(chr(byte))
        elif byte >= 0xC2:
            self._character.append(byte)
        else:
            self._take_c1(byte)

    def _take_character(self) -> None:
        """Take a character of several bytes, once it has them all."""
        try:
            character = self._character.decode("utf-8")
        except UnicodeDecodeError as error:
            if error.reason != "unexpected end of data":
                self._character.clear()
            return
        self._character.clear()
        if ord(character) < 0xA0:
            self._take_c1(ord(character))
        else:
            self._typed.append(character)

    def _take_c1(self, byte: int) -> None:
        """Take a control of 8 bits: an ESC and an introducer in one byte, or noise."""
        if byte - 0x40 in _INTRODUCERS:
            self._hold(byte - 0x40, by_c1=True)

    def _hold(self, introducer: int, by_c1: bool) -> None:
        """Hold a byte until the next one shows whether it introduces a sequence."""
        self._state, self._by_c1 = _State.LATE, by_c1
        self._pending[:] = bytes((ESC, introducer))

    def _begin(self, introducer: int, by_c1: bool) -> None:
        self._pending[:] = bytes((ESC, introducer))
        self._by_c1 = by_c1
        self._state = {ord("["): _State.CSI, ord("O"): _State.SS3}.get(introducer, _State.STRING)

    def _take_after_escape(self, byte: int) -> None:
        if byte in _INTRODUCERS:
            self._begin(byte, by_c1=False)
            return
        self._reset()
        apart = self._now - self._last > TOGETHER_SECONDS
        if apart or byte == ESC or (byte < 0x20 and byte != 0x09):
            self._tell(Kind.ESCAPE, "\x1b")
            self._take_typed(byte)
        elif byte < 0x80:
            self._tell(Kind.SEQUENCE, f"\x1b{chr(byte)}")
        else:
            self._take_typed(byte)

    def _take_late(self, byte: int) -> None:
        introducer = self._pending[-1]
        self._reset()
        if _RESTS[introducer].match(bytes((byte,))):
            self._begin(introducer, self._by_c1)
            self._take(byte)
            return
        if not self._by_c1:
            self._typed.append(chr(introducer))
        self._take_typed(byte)

    def _take_csi(self, byte: int) -> None:
        if len(self._pending) <= LONGEST_SEQUENCE:
            self._pending.append(byte)
        if self._pending == b"\x1b[M":
            self._state = _State.X10
        elif self._pending == b"\x1b[[":
            self._state = _State.SS3  # F1 to F5 of the Linux console: one letter more
        elif byte >= 0x40 or _RXVT_KEY.fullmatch(self._pending):
            self._complete()

    def _take_control(self, byte: int) -> None:
        """Take a control character inside a sequence: the end of a string, or a key that ends what never ended."""
        if self._state is _State.STRING and byte == BEL:
            self._end_report()
        elif self._state is _State.STRING and byte == ESC:
            self._state = _State.STRING_ESCAPE
        else:
            self._reset()
            self._take_typed(byte)

    def _take_string_end(self, byte: int) -> None:
        if byte == ord("\\"):
            self._end_report()
        else:
            self._state = _State.ESCAPE
            self._pending[:] = b"\x1b"
            self._take_after_escape(byte)

    def _end_report(self) -> None:
        if self._pending.startswith(_BACKGROUND):
            self._tell(Kind.ANSWER, self._pending.decode("ascii", "ignore"))
        self._reset()
        self._reported = self._now

    def _take_pasted(self, byte: int) -> None:
        pending = self._pending
        pending.append(byte)
        if pending.endswith(PASTE_END):
            data = bytes(pending[: -len(PASTE_END)])
            self._reset()
            self._tell_paste(data)
        elif len(pending) > LONGEST_PASTE + len(PASTE_END):
            del pending[LONGEST_PASTE : -len(PASTE_END)]
