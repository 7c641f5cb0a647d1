"""Says which settings of a PyTorch optimizer differ from its defaults. A report must not import torch.

Source: the optimizers of `torch.optim`, with which a test compares them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

_PLAIN = {"maximize": "False", "differentiable": "False", "capturable": "False", "weight_decay": "0", "eps": "1e-08"}
_ADAM = {"lr": "0.001", "betas": "(0.9, 0.999)", "amsgrad": "False", "decoupled_weight_decay": "False"}
DEFAULTS: Mapping[str, Mapping[str, str]] = {
    name: {**_PLAIN, **own}
    for name, own in {
        "SGD": {"lr": "0.001", "momentum": "0", "dampening": "0", "nesterov": "False"},
        "Adam": _ADAM,
        "AdamW": {**_ADAM, "weight_decay": "0.01", "decoupled_weight_decay": "True"},
        "NAdam": {**_ADAM, "lr": "0.002", "momentum_decay": "0.004"},
        "RAdam": _ADAM,
        "Adamax": {"lr": "0.002", "betas": "(0.9, 0.999)"},
        "Adagrad": {"lr": "0.01", "lr_decay": "0", "initial_accumulator_value": "0", "eps": "1e-10"},
        "Adadelta": {"lr": "1.0", "rho": "0.9", "eps": "1e-06"},
        "RMSprop": {"lr": "0.01", "alpha": "0.99", "momentum": "0", "centered": "False"},
    }.items()
}
"""What each optimizer does unless told otherwise, as the recorder writes it, by its class and the name of a setting.

A setting that an optimizer lacks may stand here too: no run of that optimizer records it.
"""


def is_default(name: str, value: str, settings: Mapping[str, str]) -> bool:
    """Return whether a hyper-parameter is what its optimizer does anyway; False where that is not known.

    Args:
        name: Of the hyper-parameter; those of a second optimizer end in "_2".
        value: What was recorded.
        settings: All hyper-parameters of the run, with the class of each optimizer.
    """
    plain, _, number = name.rpartition("_")
    ending = f"_{number}" if plain and number.isdecimal() else ""
    kind = settings.get(f"optimizer{ending}", "").rpartition(" of ")[2]  # of one that spreads it over processes
    usual = DEFAULTS.get(kind, {}).get(name.removesuffix(ending))
    return usual is not None and (value == usual or _number(value) == _number(usual))


def _number(text: str) -> float:
    """Return the number that a text is; NaN, which equals nothing, for other texts."""
    try:
        return float(text)
    except ValueError:
        return math.nan
