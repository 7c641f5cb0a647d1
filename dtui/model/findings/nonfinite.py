"""What a recorder saw where gradients were NaN or Inf, and what that says of where it began."""

from __future__ import annotations

from enum import StrEnum

from dtui.dataclass_on_use import dataclass


@dataclass(frozen=True, slots=True)
class BrokenGradients:
    """Which layers had a gradient that was NaN or Inf at one update; all names are data from outside.

    Names are those of layers and of normalisation layers. One in neither `broken` nor `finite` had no gradient, or
    nobody looked at it.

    Attributes:
        iteration: Of the update that these gradients were for.
        broken: Those with NaN or Inf in their gradient.
        finite: Those whose gradient was finite.
        weights: Those whose weights were NaN or Inf before the update already; empty where nobody looked.
        statistics: Normalisation layers whose running statistics were NaN or Inf then.
        sound_statistics: Those whose running statistics were finite then.
        is_loss_finite: Whether the loss logged for the update was finite; None where none was logged by then.
    """

    iteration: int
    broken: tuple[str, ...]
    finite: tuple[str, ...] = ()
    weights: tuple[str, ...] = ()
    statistics: tuple[str, ...] = ()
    sound_statistics: tuple[str, ...] = ()
    is_loss_finite: bool | None = None


class Began(StrEnum):
    """Where NaN or Inf began, as far as the gradients say."""

    WEIGHTS = "weights"
    """Weights were NaN or Inf before the update already."""
    ALONE = "alone"
    """In the gradient of one layer, and in none before it: in the last step of its own backward pass."""
    BACKWARD = "backward"
    """In the backward pass: behind the layer the gradient was finite still."""
    FORWARD = "forward"
    """In the forward pass: the running statistics of normalisation layers say between which."""
    LOSS = "loss"
    """In the backward pass of the loss: the loss was finite, and no gradient was where the backward pass begins."""
    UNKNOWN = "unknown"
    """In the forward pass or in the loss: the gradients were NaN or Inf where the backward pass begins."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where NaN or Inf began; all names are data from outside.

    Attributes:
        iteration: Of the update.
        began: In what.
        layers: At most 3 layers where it was first: of gradients the nearest to the loss, of the forward pass the
            first; empty where that is not known.
        beside: At most 3 layers next to them that were finite: towards the loss, or before them in the forward pass.
        count: Layers whose gradients (of WEIGHTS: weights) were NaN or Inf.
        known: Layers that were looked at.
        is_loss_finite: As in BrokenGradients.
    """

    iteration: int
    began: Began
    layers: tuple[str, ...]
    beside: tuple[str, ...]
    count: int
    known: int
    is_loss_finite: bool | None = None


@dataclass(frozen=True, slots=True)
class LookPlan:
    """Whether a recorder looks at the gradients of every update, between its records.

    Attributes:
        iteration: At which this was decided.
        layers: Layers whose gradients are looked at on every update; 0 for none.
        share: Of the time of an update, what a look at all of them costs, or would cost.
    """

    iteration: int
    layers: int
    share: float
