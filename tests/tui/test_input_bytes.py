"""What a terminal sends, split anywhere: what was typed arrives, what the terminal says by itself types nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual import events
from textual._ansi_sequences import ANSI_SEQUENCES_KEYS

from dtui.tui.terminal.background import BackgroundTold
from dtui.tui.terminal.input_bytes import (
    ESCAPE_SECONDS,
    LONGEST_PASTE,
    PASTE_SECONDS,
    REST_SECONDS,
    InputBytes,
    Kind,
    Token,
)
from dtui.tui.terminal.input_events import InputEvents

REPORTS = {
    "OSC 11": b"\x1b]11;rgb:ffff/ffff/ffff\x1b\\",
    "OSC 11 with BEL": b"\x1b]11;rgb:ffff/ffff/ffff\x07",
    "OSC 4": b"\x1b]4;12;rgb:5c5c/5c5c/ffff\x1b\\",
    "OSC 52, the clipboard": b"\x1b]52;c;bWVldCBmbGFn\x07",
    "OSC l, a title": "\x1b]lnüx [f] Ü\x1b\\".encode(),
    "XTVERSION": b"\x1bP>|xterm(390)\x1b\\",
    "DA3": b"\x1bP!|00000000\x1b\\",
    "DECRQSS": b"\x1bP1$r0;1m\x1b\\",
    "XTGETTCAP": b"\x1bP1+r524742=38\x1b\\",
    "APC, Kitty graphics": b"\x1b_Gi=31;OK\x1b\\",
    "PM": b"\x1b^fxn\x1b\\",
    "SOS": b"\x1bXfxn\x1b\\",
    "DA1": b"\x1b[?1;2c",
    "DA1 of a VT420": b"\x1b[?64;1;2;6;9;15;18;21;22c",
    "DA2": b"\x1b[>0;276;0c",
    "DSR": b"\x1b[0n",
    "CPR": b"\x1b[24;80R",
    "DECRPM": b"\x1b[?2048;2$y",
    "DECRPM, ANSI": b"\x1b[4;1$y",
    "Kitty keyboard": b"\x1b[?25u",
    "colour scheme": b"\x1b[?997;1n",
    "size in characters": b"\x1b[8;24;80t",
    "size, by itself": b"\x1b[48;24;80;480;1280t",
    "urxvt mouse": b"\x1b[35;60;20M",
    "X10 mouse": b"\x1b[M !~",
    "X10 mouse on the right": b"\x1b[M \x7f\xff",
    "focus": b"\x1b[I",
    "no focus": b"\x1b[O",
    "8-bit CSI": b"\x9b?1;2c",
    "8-bit OSC": b"\x9d11;rgb:ffff/ffff/ffff\x9c",
}
EVENTS = {
    "SGR mouse": (b"\x1b[<35;60;20M", "MouseMove"),
    "SGR mouse down": (b"\x1b[<0;60;20M", "MouseDown"),
    "synchronized output": (b"\x1b[?2026;2$y", "TerminalSupportsSynchronizedOutput"),
}
KEYS = {
    b"\x1b[D": "left",
    b"\x1bOD": "left",
    b"\x1b[1;2D": "shift+left",
    b"\x1b[5~": "pageup",
    b"\x1b[Z": "shift+tab",
    b"\x1bOP": "f1",
    b"\x1b[[A": "f1",
    b"\x1b[27u": "escape",
    b"\x1b[106u": "j",
    b"\x1b[106;;106u": "j",
    b"\x1b[99;5u": "ctrl+c",
    b"\x1b[27;5;122~": "ctrl+z",
    b"\x1b[0;;20320u": "你",
    b"\x03": "ctrl+c",
    b"\x1a": "ctrl+z",
    b"\t": "tab",
    b"\r": "enter",
    b"\x7f": "backspace",
    b"\x00": "ctrl+@",
}


def fed(*parts: bytes | float) -> list[Token]:
    """What comes of bytes and of pauses between them, as the thread that reads sees it: a pause at the end."""
    input_bytes, now, tokens = InputBytes(), 0.0, []
    for part in (*parts, 60.0):
        if isinstance(part, bytes):
            tokens += input_bytes.feed(part, now)
            continue
        now += part
        while input_bytes.deadline is not None and input_bytes.deadline <= now:
            tokens += input_bytes.expire(input_bytes.deadline)
    return tokens


def typed(tokens: list[Token]) -> str:
    return "".join(token.text for token in tokens if token.kind is Kind.TEXT)


def events_of(tokens: list[Token]) -> list[str]:
    """The names of the keys and of the other events, but for a word on the background, which is no key."""
    translator = InputEvents()
    found = [event for token in tokens for event in translator.events_of(token)]
    return [
        event.key if isinstance(event, events.Key) else type(event).__name__
        for event in found
        if not isinstance(event, BackgroundTold)
    ]


def splits(data: bytes):
    for place in range(1, len(data)):
        for pause in (0.05, 0.15, 0.5, 2.0):
            yield (data[:place], pause, data[place:])


@pytest.mark.parametrize("name", REPORTS)
def test_a_report_types_nothing_wherever_it_is_split(name: str):
    report = REPORTS[name]
    assert events_of(fed(b"n" + report + b"j" + report, report + b"k")) == ["n", "j", "k"]
    for first, pause, rest in splits(report):
        late = ["escape"] if first == b"\x1b" and pause > ESCAPE_SECONDS else []
        if report[0] >= 0x80 and len(first) == 1 and pause > ESCAPE_SECONDS:
            continue  # a byte of 8 bits is noise if nothing follows soon
        assert events_of(fed(b"n", 1.0, first, pause, rest, 1.0, b"j")) == ["n", *late, "j"], (first, pause)
    assert events_of(fed(b"n", *(part for byte in report for part in (bytes((byte,)), 0.05)), b"j")) == ["n", "j"]


@pytest.mark.parametrize("name", EVENTS)
def test_a_split_event_is_the_event_and_no_key(name: str):
    data, event = EVENTS[name]
    assert events_of(fed(data)) == [event]
    for first, pause, rest in splits(data):
        late = ["escape"] if first == b"\x1b" and pause > ESCAPE_SECONDS else []
        assert events_of(fed(first, pause, rest, b"j")) == [*late, event, "j"], (first, pause)


@pytest.mark.parametrize(("data", "key"), KEYS.items())
def test_a_key_is_the_key_wherever_it_is_split(data: bytes, key: str):
    assert events_of(fed(data, b"j")) == [key, "j"]
    for place in range(1, len(data)):
        assert events_of(fed(data[:place], 0.05, data[place:], b"j")) == [key, "j"]


def test_the_keys_that_textual_knows_leave_its_parser_ready_for_the_next():
    for sequence in ANSI_SEQUENCES_KEYS:
        translator = InputEvents()
        for token in fed(sequence.encode()):
            list(translator.events_of(token))
        assert [event.key for event in translator.events_of(Token(Kind.TEXT, "j"))] == ["j"], sequence


@pytest.mark.parametrize("number", [25, 32, 33, 50, 62, 63, 110, 1114112])
def test_a_number_that_stands_for_no_key_is_no_character(number: int):
    """Textual takes `ESC [ 110 ~` for an n, and fails at a number that is no character."""
    assert events_of(fed(f"\x1b[{number}~\x1b[{number if number > 999 else 1};5:3u\x1b[{number}Aj".encode())) == ["j"]


def test_a_word_from_an_input_method_arrives_in_one_sequence_however_long():
    word = "你好" * 20
    assert events_of(fed(f"\x1b[0;;{':'.join(str(ord(character)) for character in word)}uj".encode())) == [*word, "j"]
    assert events_of(fed(b"\x1b[" + b"9" * 5000 + b"u\x1b[1;;" + b"9" * 40 + b"uj")) == ["j"]


def test_an_esc_is_the_key_after_a_short_while_and_keys_after_it_are_keys():
    assert events_of(fed(b"\x1b", ESCAPE_SECONDS / 2)) == ["escape"]
    assert events_of(fed(b"\x1b", 0.05, b"j")) == ["escape", "j"], "typed one after the other"
    assert events_of(fed(b"\x1bj", b"k")) == ["k"], "typed with Alt"
    assert events_of(fed(b"\x1b\x1b", 1.0, b"\x1b\r")) == ["escape", "escape", "escape", "enter"]
    for key in "[]OPX_^":
        name = events_of(fed(key.encode()))
        assert events_of(fed(b"\x1b", 0.5, key.encode(), 0.5, key.encode())) == ["escape", *name, *name]
        assert events_of(fed(b"\x1b", 0.5, key.encode(), b"\rj")) == ["escape", *name, "enter", "j"]
    assert typed(fed(b"\x1b", 0.5, b"[", b"[", b"]", b"k")) == "[[]k"


def test_an_esc_right_behind_a_report_waits_longer():
    mouse = b"\x1b[<32;60;20M"
    assert events_of(fed(mouse + b"\x1b", 0.3, mouse[1:])) == ["MouseMove", "MouseMove"]
    assert events_of(fed(mouse, 1.0, b"\x1b", 0.15, b"j")) == ["MouseMove", "escape", "j"]


@pytest.mark.parametrize("begun", [b"\x1b[", b"\x1b[<35;6", b"\x1b]", b"\x1bP1", b"\x1b_G", b"\x1bO", b"\x1b[M "])
def test_a_report_that_never_ends_does_not_deafen(begun: bytes):
    assert typed(fed(begun, REST_SECONDS + 0.1, b"jk")) == "jk"
    assert typed(fed(begun, 0.5, b"\x03")) == "\x03"
    assert events_of(fed(begun, 0.5, b"\x1b", 0.3, b"j")) == ["escape", "j"]


def test_a_paste_is_one_event_with_whatever_is_in_it():
    text = "f x n ü\r\n\x1b[31mred\x1b]11;x\x07\x1b"
    data = b"\x1b[200~" + text.encode() + b"\x1b[201~"
    whole = [Token(Kind.PASTE, text), Token(Kind.TEXT, "j")]
    assert fed(data, b"j") == whole
    for first, pause, rest in splits(data[1:]):
        assert fed(b"\x1b" + first, pause, rest, b"j") == whole, (first, pause)
    assert events_of(fed(data)) == ["Paste"]
    assert fed(data[:9], PASTE_SECONDS + 1, b"j") == [Token(Kind.PASTE, "f x"), Token(Kind.TEXT, "j")]
    assert [len(token.text) for token in fed(b"\x1b[200~" + b"a" * (LONGEST_PASTE + 9) + b"\x1b[201~j")] == [1 << 20, 1]


@pytest.mark.parametrize("noise", [b"\xff", b"\xe9", b"\xe2\x82", b"\xc0", b"\xed\xa0\x80", b"\x85", b"\x9b", b"\x90"])
def test_what_is_no_utf_8_is_dropped_and_the_next_key_counts(noise: bytes):
    assert typed(fed(b"1" + noise, 1.0, b"2")) == "12"


@given(st.text(st.characters(min_codepoint=0xA0, exclude_categories=("Cs",)) | st.sampled_from("jk[]OP_^X~\r\t\x03")))
def test_typed_text_arrives_split_anywhere(text: str):
    data = text.encode()
    assert typed(fed(data)) == text
    assert typed(fed(*(part for byte in data for part in (bytes((byte,)), 0.7)))) == text


PIECES = st.sampled_from(
    [*REPORTS.values(), *KEYS, b"\x1b", b"\x1b[", b"\x1bP", b"\x1b[200~", b"\x1b[201~", b"\x1b]", b"\x9d", b"\x9c"]
)


@given(st.lists(PIECES | st.binary(max_size=4)), st.data())
def test_garbage_types_nothing_but_what_is_in_it_and_a_split_changes_nothing(pieces: list[bytes], data: st.DataObject):
    garbage = b"".join(pieces)
    tokens = fed(garbage)
    characters = iter(garbage.decode("utf-8", "ignore"))
    assert all(character in characters for character in typed(tokens)), "a subsequence of what came"
    place = data.draw(st.integers(0, len(garbage)))
    again = fed(garbage[:place], garbage[place:])
    assert typed(again) == typed(tokens)
    assert [token for token in again if token.kind is not Kind.TEXT] == [
        token for token in tokens if token.kind is not Kind.TEXT
    ]
    translator = InputEvents()
    for token in tokens:
        list(translator.events_of(token))
    assert [event.key for event in translator.events_of(Token(Kind.TEXT, "j"))] == ["j"]
    assert typed(fed(garbage, 30.0, b"jq")).endswith("jq")


@pytest.mark.parametrize(
    ("answer", "is_light"),
    [
        (b"\x1b]11;rgb:ffff/ffff/ffff\x1b\\", True),
        (b"\x1b]11;rgb:1e1e/1e1e/2e2e\x07", False),
        (b"\x1b]11;rgb:f/f/e\x07", True),
        (b"\x1b]11;rgba:fd/f6/e3/ff\x07", True),
        (b"\x1b]11;rgb:0000/00ff/ffff\x1b\\", False),
    ],
)
def test_what_the_terminal_says_of_its_background(answer: bytes, is_light: bool) -> None:
    for cut in range(len(answer)):
        tokens = InputBytes()
        told = [*tokens.feed(answer[:cut], 0.0), *tokens.feed(answer[cut:] + b"x", 0.01)]
        first, key = (event for token in told for event in InputEvents().events_of(token))
        assert first.is_light == is_light
        assert key.key == "x"


@pytest.mark.parametrize("answer", [b"\x1b]11;?\x07", b"\x1b]11;rgb:zz/0/0\x07", b"\x1b]11;" + b"f" * 5000 + b"\x07"])
def test_an_odd_answer_says_nothing(answer: bytes) -> None:
    tokens = InputBytes().feed(answer, 0.0)
    assert [event for token in tokens for event in InputEvents().events_of(token)] == []
