"""Converts a theme's colours to those that the terminal can show, and makes colour ramps.

Owns the step from a theme's colour to the terminal's colours.
"""

from __future__ import annotations

import colorsys
from dataclasses import replace
from functools import lru_cache

import numpy as np

from dtui.model import FloatArray
from dtui.tui.renderables.canvas.cells import UintArray
from dtui.tui.renderables.canvas.output import ColorMode, Output
from dtui.tui.renderables.canvas.theme import Theme


def to_lab(colours: UintArray) -> FloatArray:
    """Return CIELAB (D65) of packed colours, shape (…, 3): lightness in [0, 100], a, b.

    Source: IEC 61966-2-1 (sRGB), CIE 15.
    """
    packed = np.asarray(colours, np.uint32)
    channels = np.stack([packed >> 16 & 255, packed >> 8 & 255, packed & 255], -1) / 255
    linear = np.where(channels > 0.04045, ((channels + 0.055) / 1.055) ** 2.4, channels / 12.92)
    to_xyz = np.array([[0.4124, 0.2126, 0.0193], [0.3576, 0.7152, 0.1192], [0.1805, 0.0722, 0.9505]])
    xyz = linear @ to_xyz / np.array([0.9505, 1.0, 1.089])
    root = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    lightness = 116 * root[..., 1] - 16
    lab: FloatArray = np.stack(
        [lightness, 500 * (root[..., 0] - root[..., 1]), 200 * (root[..., 1] - root[..., 2])], -1
    )
    return lab


def _palette_256() -> UintArray:
    levels = (0, 95, 135, 175, 215, 255)
    cube = [red << 16 | green << 8 | blue for red in levels for green in levels for blue in levels]
    greys = [value << 16 | value << 8 | value for value in range(8, 248, 10)]
    return np.array(cube + greys, np.uint32)


PALETTE_256 = _palette_256()
"""Colours 16..255 of the 256-colour palette; the first 16 differ between terminals and are never used."""

PALETTE_16 = np.array(
    [
        *(0x000000, 0xCD0000, 0x00CD00, 0xCDCD00, 0x0000EE, 0xCD00CD, 0x00CDCD, 0xE5E5E5),
        *(0x7F7F7F, 0xFF0000, 0x00FF00, 0xFFFF00, 0x5C5CFF, 0xFF00FF, 0x00FFFF, 0xFFFFFF),
    ],
    np.uint32,
)
"""The 16 colours as xterm shows them."""

_LAB_256 = to_lab(PALETTE_256)
_LAB_16 = to_lab(PALETTE_16)
_LIGHTNESS_WEIGHT = 1.6


@lru_cache(maxsize=65_536)
def nearest_256(colour: int) -> int:
    """Return the index (16..255) of the palette colour nearest to 0xRRGGBB in CIELAB, lightness weighing more.

    Distance in RGB would turn the dark blue-greys of the panels into navy.
    """
    difference = _LAB_256 - to_lab(np.array(colour, np.uint32))
    weights = np.array([_LIGHTNESS_WEIGHT, 1.0, 1.0])
    return 16 + int(np.argmin((difference**2 * weights).sum(-1)))


_ON_WHITE = {1: 1, 2: 2, 3: 8, 4: 4, 5: 5, 6: 4}
"""What is written on white in place of each hue: yellow and cyan cannot be read there."""


@lru_cache(maxsize=65_536)
def nearest_16(colour: int, on_white: bool = False) -> int:
    """Return the index (0..15) of the nearest of the 16 colours in CIELAB.

    Greys stay grey. On black a colour lighter than middle grey becomes one of the bright ones: the others are hard to
    read there. On white it becomes one of its hue that is dark enough.
    """
    target = to_lab(np.array(colour, np.uint32))
    difference = _LAB_16 - target
    if on_white:
        if np.hypot(target[1], target[2]) < 16:
            return 0 if target[0] < 30 else 8
        hues = np.arctan2(_LAB_16[1:7, 2], _LAB_16[1:7, 1]) - np.arctan2(target[2], target[1])
        return _ON_WHITE[1 + int(np.argmax(np.cos(hues)))]
    distance = (difference**2 * np.array([1.0, 0.6, 0.6])).sum(-1)
    if np.hypot(target[1], target[2]) < 16:
        distance[[1, 2, 3, 4, 5, 6, 9, 10, 11, 12, 13, 14]] = np.inf
    elif target[0] > 55:
        distance[1:9] = np.inf
    return int(np.argmin(distance))


@lru_cache(maxsize=65_536)
def is_panel_like(colour: int) -> bool:
    """Whether a background is so dark or so light that a 16-colour terminal's own background stands for it."""
    lightness = float(to_lab(np.array(colour, np.uint32))[0])
    return lightness < 24 or lightness > 88


def interpolate(anchors: tuple[int, ...], count: int) -> UintArray:
    """Return `count` packed colours from the first anchor to the last, linear in sRGB between neighbours."""
    points = np.array([[colour >> 16 & 255, colour >> 8 & 255, colour & 255] for colour in anchors], float)
    where = np.linspace(0, len(points) - 1, count)
    channels = [np.rint(np.interp(where, np.arange(len(points)), points[:, i])).astype(np.uint32) for i in range(3)]
    packed: UintArray = channels[0] << np.uint32(16) | channels[1] << np.uint32(8) | channels[2]
    return packed


MOST_VALUES, MOST_SHARES = 20, 8
"""Colours of maps that another row, or a step of the cursor, changes all of: where neighbours differ by one colour each
place takes as many bytes as a jump of the cursor. With 32 they were half as many again."""


def value_colours(theme: Theme, output: Output) -> UintArray:
    """Return the ramp of magnitudes without its darkest colours, which look as if there was no value."""
    colours = _few(theme, "magnitude", output, MOST_VALUES)
    return colours[len(colours) // 10 :] if output.has_pixels else colours


def share_colours(theme: Theme, output: Output) -> UintArray:
    """Return the colours of shares of a class."""
    return _few(theme, "error", output, MOST_SHARES)


def _few(theme: Theme, name: str, output: Output, most: int) -> UintArray:
    return ramp(theme, name, replace(output, levels=min(most, output.levels)))


_GOLDEN = 0.618_033_988_75
"""Steps of this share of the circle never come close to a hue that was taken shortly before."""
_FREE_HUE = 0.67
"""With it the first of them are blue, lime and magenta, which the colours picked by hand leave free."""


def label_colour(theme: Theme, label: int) -> int:
    """Return the colour of a label, the same wherever and whenever it is shown.

    Args:
        theme: Its first labels have hand-picked colours.
        label: >= 0; a label beyond them gets a hue from its number.
    """
    if label < len(theme.wrong_labels):
        return theme.wrong_labels[label]
    lightness = 0.64 if theme.background < 0x808080 else 0.38
    red, green, blue = colorsys.hls_to_rgb((label * _GOLDEN + _FREE_HUE) % 1.0, lightness, 0.62)
    return round(red * 255) << 16 | round(green * 255) << 8 | round(blue * 255)


def band_colours(theme: Theme, output: Output) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return positive and negative horizon bands, weak to strong, for the terminal at hand."""
    if output.mode is ColorMode.PALETTE_256:
        return theme.positive_256, theme.negative_256
    return theme.positive, theme.negative


_RAMPS: dict[tuple[str, str, ColorMode, int], UintArray] = {}


def ramp(theme: Theme, name: str, output: Output) -> UintArray:
    """Return the `output.levels` colours of a ramp, weak to strong, for the terminal at hand.

    Args:
        theme: Whose ramp.
        name: "magnitude", "error" or "correlation".
        output: 256 colours get the hand-picked ramp.
    """
    key = (theme.name, name, output.mode, output.levels)
    if key not in _RAMPS:
        if output.mode is ColorMode.PALETTE_256:
            picked = np.array(theme.ramps_256[name], np.uint32)
            colours = picked[np.arange(output.levels) * len(picked) // output.levels]
        else:
            colours = interpolate(theme.ramps[name], output.levels)
        colours.flags.writeable = False
        _RAMPS[key] = colours
    return _RAMPS[key]
