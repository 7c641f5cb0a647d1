"""Every glyph that dtui itself writes has an ASCII one that stands for it."""

from __future__ import annotations

import ast
from pathlib import Path

import numpy as np

import dtui.tui
from dtui.tui.renderables.canvas.sgr import fold_ascii, text_in_ascii

ROOT = Path(dtui.tui.__file__).parent
TABLES = {"canvas/sgr.py", "canvas/primitives.py"}
"""They map glyphs, or hold those of a terminal with more than ASCII."""


def glyphs_of(path: Path) -> set[str]:
    """Return the glyphs outside ASCII in the texts of a module, without its docstrings."""
    tree = ast.parse(path.read_text())
    documented = [node for node in ast.walk(tree) if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)]
    docs = {id(node.body[0].value) for node in documented if node.body and isinstance(node.body[0], ast.Expr)}
    docs |= {
        id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    texts = [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs
    ]
    return {glyph for text in texts for glyph in text if not glyph.isascii()}


def test_every_glyph_has_an_ascii_one():
    missing = {}
    for path in sorted((ROOT / "renderables").rglob("*.py")) + sorted((ROOT / "panes").rglob("*.py")):
        name = str(path.relative_to(ROOT / "renderables")) if "renderables" in str(path) else path.name
        if name not in TABLES:
            glyphs = sorted(glyphs_of(path))
            folded = fold_ascii(np.array([ord(glyph) for glyph in glyphs], np.uint32)) if glyphs else []
            for glyph, plain in zip(glyphs, folded, strict=True):
                if chr(int(plain)) == "?":
                    missing.setdefault(name, []).append(glyph)
    assert missing == {}


def test_the_walk_sees_glyphs():
    assert "▌" in glyphs_of(ROOT / "renderables" / "parts" / "chrome.py")


def test_a_power_of_ten_is_read_as_one_in_ascii():
    assert text_in_ascii("by chance 1·10⁻¹³  in 5·10¹⁶, m²") == "by chance 1e-13    in 5e16  , m2"
