"""Legends in every mode of colours: what a face is drawn with is explained with it."""

from __future__ import annotations

import pytest

from dtui.tui.renderables.canvas.output import ColorMode
from dtui.tui.renderables.canvas.sgr import to_text
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
