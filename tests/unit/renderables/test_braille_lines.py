"""Lines of braille dots, beside a walk from point to point."""

from __future__ import annotations

import numpy as np
import pytest

from dtui.tui.renderables.parts.braille_lines import plot_lines

BITS = {(0, 0): 0x01, (1, 0): 0x02, (2, 0): 0x04, (3, 0): 0x40, (0, 1): 0x08, (1, 1): 0x10, (2, 1): 0x20, (3, 1): 0x80}


def walked(series: list[np.ndarray], height: int) -> list[str]:
    """Draw dot by dot: each point, and in its column the levels on the way to the next."""
    width, rows = len(series[0]) // 2, 4 * height
    glyphs = np.zeros((height, width), int)
    for values in series:
        levels = [None if np.isnan(value) else round(np.clip(value, 0, 1) * (rows - 1)) for value in values]
        for x, (here, then) in enumerate(zip(levels, [*levels[1:], None], strict=True)):
            if here is None:
                continue
            way = range(here, here if then is None else then, 1 if then is None or then > here else -1)
            for level in {here, *way}:
                y = rows - 1 - level
                glyphs[y // 4, x // 2] |= BITS[y % 4, x % 2]
    return ["".join(chr(0x2800 + glyph) if glyph else " " for glyph in row) for row in glyphs]


@pytest.mark.parametrize("seed", range(8))
def test_a_line_goes_from_point_to_point_without_gaps(seed: int) -> None:
    numbers = np.random.default_rng(seed)
    width, height = int(numbers.integers(1, 40)), int(numbers.integers(1, 8))
    series = [numbers.uniform(-0.1, 1.1, 2 * width) for _ in range(2)]
    series[0][numbers.random(2 * width) < 0.2] = np.nan
    ch, _ = plot_lines(series, [1, 2], 0.0, 1.0, width, height)
    assert ["".join(map(chr, row)) for row in ch] == walked(series, height)


def test_a_later_line_colours_what_it_shares_with_an_earlier_one() -> None:
    high, both = np.array([1.0, 1.0, np.nan, np.nan]), np.array([np.nan, 0.9, 0.9, np.nan])
    ch, fg = plot_lines([high, both], [1, 2], 0.0, 1.0, 2, 1)
    assert fg.tolist() == [[2, 2]]
    assert chr(ch[0, 0]) == "⠉"


def test_nothing_is_drawn_for_what_is_not_known() -> None:
    ch, _ = plot_lines([np.full(6, np.nan)], [1], 0.0, 1.0, 3, 2)
    assert (ch == 32).all()
