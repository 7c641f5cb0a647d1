from __future__ import annotations

import itertools

import numpy as np
import pytest

from dtui.tui.renderables.canvas.output import ColorMode, Output
from dtui.tui.renderables.canvas.palettes import PALETTE_16, interpolate, label_colour, nearest_16, ramp, to_lab
from dtui.tui.renderables.canvas.theme import DARK, LIGHT, Theme

THEMES = [pytest.param(DARK, id="dark"), pytest.param(LIGHT, id="light")]
SIGHT = {
    name: np.array([float(number) for number in numbers.split()]).reshape(3, 3)
    for name, numbers in {
        "normal": "1 0 0  0 1 0  0 0 1",
        "protan": "0.152286 1.052583 -0.204868  0.114503 0.786281 0.099216  -0.003882 -0.048116 1.051998",
        "deutan": "0.367322 0.860646 -0.227968  0.280085 0.672501 0.047413  -0.01182 0.04294 0.968881",
        "tritan": "1.255528 -0.076749 -0.178779  -0.078411 0.930809 0.147602  0.004733 0.691367 0.3039",
    }.items()
}
"""Machado, Oliveira and Fernandes 2009, severity 1, on linear RGB."""


def linear(colour: int) -> np.ndarray:
    channels = np.array([colour >> 16 & 255, colour >> 8 & 255, colour & 255]) / 255
    return np.where(channels > 0.04045, ((channels + 0.055) / 1.055) ** 2.4, channels / 12.92)


def as_seen(colour: int, sight: str) -> int:
    channels = np.clip(SIGHT[sight] @ linear(colour), 0, 1)
    gamma = np.where(channels > 0.0031308, 1.055 * channels ** (1 / 2.4) - 0.055, 12.92 * channels)
    red, green, blue = (int(value) for value in np.rint(gamma * 255))
    return red << 16 | green << 8 | blue


def difference(one: int, other: int, sight: str) -> float:
    lab = to_lab(np.array([as_seen(one, sight), as_seen(other, sight)], np.uint32))
    return float(np.linalg.norm(lab[0] - lab[1]))


def contrast(one: int, other: int) -> float:
    lighter, darker = sorted(
        (float(linear(colour) @ [0.2126, 0.7152, 0.0722]) for colour in (one, other)), reverse=True
    )
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("mode", [ColorMode.TRUECOLOR, ColorMode.PALETTE_256])
@pytest.mark.parametrize("name", ["magnitude", "error", "correlation"])
def test_a_ramp_goes_steadily_from_the_background_to_its_opposite(theme: Theme, mode: ColorMode, name: str) -> None:
    lightness = to_lab(ramp(theme, name, Output(mode)))[:, 0]
    steps = np.diff(lightness) * (1 if theme is DARK else -1)
    assert (steps > -0.3).all()
    assert abs(lightness[-1] - lightness[0]) > 55


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("sight", SIGHT)
def test_pairs_that_must_be_told_apart_can_be(theme: Theme, sight: str) -> None:
    pairs = [(theme.correct, theme.incorrect), (theme.gained, theme.lost), (theme.validation, theme.train)]
    pairs += list(zip(theme.positive, theme.negative, strict=True))
    pairs += list(itertools.pairwise(theme.positive)) + list(itertools.pairwise(theme.negative))
    assert min(difference(one, other, sight) for one, other in pairs) >= 20


@pytest.mark.parametrize("theme", THEMES)
def test_wrong_classes_differ_from_right_and_from_each_other(theme: Theme) -> None:
    for one, other in itertools.combinations((theme.correct, *theme.wrong_labels), 2):
        assert difference(one, other, "normal") >= 20, (hex(one), hex(other))


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize(
    "name",
    ["text", "muted", "bright", "accent", "flag", "gained", "lost", "live", "crashed", "warning", "validation"],
)
def test_words_can_be_read(theme: Theme, name: str) -> None:
    for background in (theme.panel, theme.background):
        assert contrast(getattr(theme, name), background) >= 4.5


@pytest.mark.parametrize("theme", THEMES)
def test_words_on_the_selection_and_the_badges_can_be_read(theme: Theme) -> None:
    assert contrast(theme.bright, theme.selection) >= 7
    assert contrast(theme.badge_text, theme.badge) >= 7
    assert contrast(theme.badge_text, theme.warning) >= 4.5
    for strong in (theme.positive[2], theme.negative[2]):
        assert contrast(strong, theme.panel) >= 4.5


def test_interpolation_meets_its_anchors() -> None:
    assert interpolate((0x000000, 0x808080, 0xFFFFFF), 3).tolist() == [0x000000, 0x808080, 0xFFFFFF]
    assert interpolate((0x000000, 0x0000FE), 3).tolist() == [0, 0x7F, 0xFE]


def test_a_ramp_has_as_many_steps_as_the_output_wants() -> None:
    assert len(ramp(DARK, "error", Output(levels=16))) == 16
    assert len(ramp(DARK, "error", Output(ColorMode.PALETTE_256))) == 32


def test_sixteen_colours_keep_what_colours_mean() -> None:
    assert nearest_16(DARK.text) == 7
    assert nearest_16(DARK.muted) == 8
    assert nearest_16(DARK.lost) == 9
    assert nearest_16(DARK.gained) == 14
    assert nearest_16(DARK.flag) == 11


def test_sixteen_colours_can_be_read_on_white() -> None:
    """Three to one, as xterm shows them; its green has 2.1, and no other green is any darker."""
    named = (LIGHT.text, LIGHT.muted, LIGHT.accent, LIGHT.flag, LIGHT.lost, LIGHT.gained, LIGHT.live, LIGHT.warning)
    for colour in (*named, *(label_colour(LIGHT, label) for label in range(40))):
        shown = nearest_16(colour, on_white=True)
        assert shown == 2 or contrast(int(PALETTE_16[shown]), 0xFFFFFF) >= 3
    assert nearest_16(LIGHT.accent, on_white=True) == 4
    assert nearest_16(LIGHT.lost, on_white=True) == 1
