"""The short names of curves, and their values as people read them."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence

import numpy as np

from dtui.model import SKIPPED_UPDATES
from dtui.model.judging import NOT_RIGHT
from dtui.model.scalars import rate_of
from dtui.safe_text import safe
from dtui.tui.renderables.parts.chrome import number

SHORT = {
    "validation_error": "val", "train_error": "train", "loss": "loss", "learning_rate": "lr",
    SKIPPED_UPDATES: "skipped", "gradient_norm_max": "gradient max", "update_norm_max": "update max",
}  # fmt: skip
SHORTER = {**SHORT, "train_error": "tr"}
JUDGED = {**SHORT, "validation_error": NOT_RIGHT}
"""Where scores decide: a GAN and a language model have no error."""


def curve_label(logged: Container[str], name: str, short: Mapping[str, str]) -> str:
    """Return the short form of a name, unless the training logs another scalar under that form."""
    said = short.get(name) or _rate_label(name) or name
    return safe(name if said in logged else said)


def _rate_label(name: str) -> str:
    """Return "lr 2" for the learning rate of the second optimizer, "lr g2" for that of a group; "" for no rate."""
    optimizer, group = rate_of(name) or (1, 1)
    return " ".join(["lr", *[f"{optimizer}"] * (optimizer > 1), *[f"g{group}"] * (group > 1)]) if rate_of(name) else ""


def curve_reading(name: str, value: float) -> str:
    """Return a curve's value as a readout shows it; errors in per cent."""
    if name.endswith("error") and np.isfinite(value):
        return "100%" if round(value * 100, 1) == 100 else f"{value * 100:.1f}%"
    if name == SKIPPED_UPDATES and np.isfinite(value):
        return f"{value:.0f}"
    if rate_of(name) and np.isfinite(value):
        return f"{value:.3g}"
    return number(value)


def leading_words(values: Mapping[str, float], chosen: Sequence[str] = (), *, is_judged: bool = False) -> str:
    """Return a curve's value in words, such as "val 2.1%": of the last that was chosen, or the most important one.

    "" where there is none; `is_judged` is as in CurvesPicture.
    """
    names = (*reversed(chosen), "validation_error", "train_error", "loss")
    name = next((name for name in names if name in values), None)
    short = JUDGED if is_judged else SHORT
    return "" if name is None else f"{curve_label(values, name, short)} {curve_reading(name, values[name])}"
