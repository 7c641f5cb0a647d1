"""Legends in every mode of colours: what a face is drawn with is explained with it."""

from __future__ import annotations

import numpy as np
import pytest

from dtui.tui.renderables.canvas.output import ColorMode
from dtui.tui.renderables.canvas.primitives import quantise
from dtui.tui.renderables.canvas.sgr import to_text
from dtui.tui.renderables.parts.grid.legends import usual_colours
from tests.unit.renderables.builders import frame
from tests.unit.renderables.panes import PANES


@pytest.mark.parametrize("ascii_only", [False, True])
@pytest.mark.parametrize("mode", ColorMode)
def test_the_cube_explains_its_faces(mode: ColorMode, ascii_only: bool) -> None:
    where = frame(150, 30, mode, ascii_only)
    cells = PANES["cube"](where, "conv1", None, 500)
    text = to_text(cells)
    for words in ("error 0", "100%", "10 of usual"):
        assert words in text
    row = text.splitlines()[1]
    legend = slice(row.index("error 0") + len("error 0 "), row.index("100%") - 1)
    looks = {*zip(*(getattr(cells, part)[1, legend].tolist() for part in ("ch", "fg", "bg")), strict=True)}
    assert len(looks) >= 4, "from none to all"


def test_noise_around_the_usual_looks_like_the_usual() -> None:
    """The light of a pick changes every colour of a face: a step of the crosshair writes as much as it has."""
    shown = frame(80, 24)
    colours = usual_colours(shown)
    steps = quantise((np.log10([1 / 1.16, 1.0, 1.16, 1 / 1.3, 1.3, 0.1, 10.0]) + 1) / 2, len(colours))
    usual, below, above = steps[0], *steps[3:5]
    assert colours[usual] == shown.theme.line
    assert steps[:3].tolist() == [usual] * 3
    assert (below, above) == (usual - 1, usual + 1)
    assert steps[5:].tolist() == [0, len(colours) - 1]
