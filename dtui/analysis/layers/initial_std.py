"""The standard deviation with which a weight would start, from its shape alone: after He, Xavier, and torch itself."""

from __future__ import annotations

import math

from dtui.model.layers import InitialStd

PLAIN = ("Linear", "Conv", "NonDynamicallyQuantizableLinear", "LazyLinear", "LazyConv")
"""Beginnings of classes whose weights are one matrix, or kernels, with filters first."""
MOST_DIMENSIONS = 5


def initial_std(kind: str, shape: tuple[int, ...], groups: int | None = None) -> InitialStd | None:
    """Return the standard deviations with which weights of this shape would start.

    He: √(2 ⁄ fan in), for ReLU (`kaiming_normal_`, `kaiming_uniform_`). Xavier: √(2 ⁄ (fan in + fan out))
    (`xavier_normal_`, `xavier_uniform_`). Torch's own default of linear layers and convolutions: √(1 ⁄ (3 fan in)).
    Fans are those of `torch.nn.init`: it takes those of transposed convolutions the other way round, and counts the
    filters of all groups in the fan out.

    Args:
        kind: Class name of the module.
        shape: Of its weight with filters first.
        groups: Of a transposed convolution; None where that is not known.

    Returns:
        None where a shape does not tell: fewer than two dimensions, several matrices in one, a transposed convolution
        of which the groups are not known.

    Source: He et al. 2015, Glorot and Bengio 2010; fans as in torch.nn.init.
    """
    is_plain = kind.startswith(PLAIN)
    if not 2 <= len(shape) <= MOST_DIMENSIONS or (len(shape) > 2 and not is_plain) or min(shape) < 1:
        return None
    field = math.prod(shape[2:])
    fan_in, fan_out = shape[1] * field, shape[0] * field
    if "Transpose" in kind:
        if groups is None or groups < 1 or shape[0] % groups:
            return None
        fan_in, fan_out = fan_out // groups, fan_in * groups
    default = math.sqrt(1 / (3 * fan_in)) if is_plain else math.nan
    return InitialStd(math.sqrt(2 / fan_in), math.sqrt(2 / (fan_in + fan_out)), default)
