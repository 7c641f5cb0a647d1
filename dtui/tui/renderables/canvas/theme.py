"""Names every colour on the screen.

Owns the named colours and the ramps of both themes.
"""

from __future__ import annotations

from dtui.dataclass_on_use import dataclass


@dataclass(frozen=True, slots=True)
class Theme:
    """Colours 0xRRGGBB by meaning.

    Attributes:
        name: "dark" or "light".
        background: Behind the bars.
        panel: Behind the panes.
        line: Quiet rules.
        text, muted, faint, bright: Words, from plain to less and more important.
        accent: Focus, keys, names of what is selected.
        selection: Behind the selected row.
        badge: Behind the cursor's iteration, with `badge_text` on it.
        correct, incorrect: Image pixels.
        gained, lost: Triangles.
        flag: The selected anomaly and flagged ones.
        live, crashed: Status of a run.
        warning: Invented runs, dead filters.
        validation, train: Error curves.
        layer, module: Marks in the tree: conv-like layers, and all other nodes.
        positive, negative: Horizon bands, weak to strong.
        crosshair: Ticks of the crosshair, and its rule between panes.
        ramps: Name to anchor colours, from 0 to 1: "magnitude", "error", "correlation".
        ramps_256: The same as hand-picked colours of the 256-colour palette, 0xRRGGBB.
        positive_256, negative_256: The bands in that palette.
        wrong_labels: Colours of the first labels; `palettes.label_colour` has one for every label.
    """

    name: str
    background: int
    panel: int
    line: int
    text: int
    muted: int
    faint: int
    bright: int
    accent: int
    selection: int
    badge: int
    badge_text: int
    correct: int
    incorrect: int
    gained: int
    lost: int
    flag: int
    live: int
    crashed: int
    warning: int
    validation: int
    train: int
    layer: int
    module: int
    positive: tuple[int, int, int]
    negative: tuple[int, int, int]
    crosshair: int
    ramps: dict[str, tuple[int, ...]]
    ramps_256: dict[str, tuple[int, ...]]
    positive_256: tuple[int, ...]
    negative_256: tuple[int, ...]
    wrong_labels: tuple[int, ...]


def _colours(text: str) -> tuple[int, ...]:
    return tuple(int(part, 16) for part in text.split())


def _xterm(text: str) -> tuple[int, ...]:
    """Colours of the 256-colour palette (indices 16..255) as 0xRRGGBB."""
    levels = (0, 95, 135, 175, 215, 255)
    colours = []
    for index in map(int, text.split()):
        if index >= 232:
            red = green = blue = 8 + 10 * (index - 232)
        else:
            cube = index - 16
            red, green, blue = levels[cube // 36], levels[cube // 6 % 6], levels[cube % 6]
        colours.append(red << 16 | green << 8 | blue)
    return tuple(colours)


DARK = Theme(
    name="dark",
    background=0x0D1017,
    panel=0x11151E,
    line=0x232937,
    text=0xC8D0DD,
    muted=0x7B879D,
    faint=0x475066,
    bright=0xF4F7FB,
    accent=0x5CC8FF,
    selection=0x1B2638,
    badge=0xF4F7FB,
    badge_text=0x0D1017,
    correct=0x1F4461,
    incorrect=0xF28E2B,
    gained=0x4CC9F0,
    lost=0xFF6B6B,
    flag=0xFFD166,
    live=0x7EE787,
    crashed=0xFF6B6B,
    warning=0xF28E2B,
    validation=0xF28E2B,
    train=0x7D8AA3,
    layer=0xB48EAD,
    module=0xEBCB8B,
    positive=(0x173F5F, 0x2F86C6, 0xA9DCFF),
    negative=(0x54301C, 0xBF5A2A, 0xFFB892),
    crosshair=0xFFFFFF,
    ramps={
        "magnitude": _colours("0d1017 1b0f3a 420a68 6a176e 932667 bc3754 dd513a f37819 fca50a f6d746 fcffa4"),
        "error": _colours("15263a 1d3450 353a52 5c3f46 894a38 b9602b e58328 f9a84a ffd08a fff0d0"),
        "correlation": _colours("0d1017 231a2f 35264c 3f3f76 3b5d91 357ba3 3499ad 41b7af 72d2b0 b8e6c8 def5e5"),
    },
    ramps_256={
        "magnitude": _xterm("233 17 18 53 89 125 161 167 203 209 215 222 229"),
        "error": _xterm("234 236 237 238 94 130 166 172 208 215 223 230"),
        "correlation": _xterm("233 235 237 60 61 67 73 79 115 151 194"),
    },
    positive_256=_xterm("24 32 153"),
    negative_256=_xterm("94 166 223"),
    wrong_labels=_colours("f28e2b e15759 c58bd9 edc948 6fbf5f 4fc3c7 ff9da7 b98d6b"),
)

LIGHT = Theme(
    name="light",
    background=0xE8ECF1,
    panel=0xF7F9FB,
    line=0xD5DBE3,
    text=0x27303D,
    muted=0x5B6675,
    faint=0x98A2B0,
    bright=0x0B1017,
    accent=0x0067A3,
    selection=0xD3E4F4,
    badge=0x1B2430,
    badge_text=0xFFFFFF,
    correct=0xB4D0E7,
    incorrect=0xD2691E,
    gained=0x006AA3,
    lost=0xC4203A,
    flag=0x8A5A00,
    live=0x14702D,
    crashed=0xC41E3A,
    warning=0xA8480A,
    validation=0xA84B08,
    train=0x606B7A,
    layer=0x8A4F86,
    module=0x7D5D00,
    positive=(0xA9D1F0, 0x3B8FD0, 0x0A3D73),
    negative=(0xF6C9A8, 0xD9722F, 0x6B2C0C),
    crosshair=0x3A4654,
    ramps={
        "magnitude": _colours("f7f9fb fdebc8 fdcb7c f89a45 e36a5c b83a78 80287f 4d1a6a 220f4a"),
        "error": _colours("eef3f8 dde5ee e6d5c2 efbd8a e5964c c76b20 96490f 5c2b0b"),
        "correlation": _colours("f7f9fb def5e5 9cdcbb 54c0ae 36a2ab 357ba3 3b5d91 3f3f76 2b1c35"),
    },
    ramps_256={
        "magnitude": _xterm("231 230 223 216 215 209 203 168 162 126 90 54 17"),
        "error": _xterm("255 254 223 216 209 172 166 130 88 52"),
        "correlation": _xterm("231 194 152 116 79 73 67 61 60 54 17"),
    },
    positive_256=_xterm("153 32 17"),
    negative_256=_xterm("223 166 52"),
    wrong_labels=_colours("d2691e c0272d 8e44ad 9a7d00 2e7d32 00796b d6336c 6d4c41"),
)
