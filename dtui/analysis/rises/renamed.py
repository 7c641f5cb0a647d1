"""Classes whose images come with another label: they fail, and the class that they are taken for is taught instead.

Owns the rule. A class of a healthy network that fails at once for a while is taken for another one, too; but then its
own row gets the largest gradients of all, and that of the other class is left as it is.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from dtui.analysis.rises.output_rows import Taught
from dtui.model import FloatArray, IntArray

HOLDS = 6
"""Validations at which it must fail, all of them: labels are mistaken for 3 to 8 records in the tuning seeds."""
LEVEL = 2.0
"""What the product must reach: smallest error × mean rise × ln of how much smaller the gradient of its row is than that
of others × how much larger that of the other class is × how much farther that moves, than others and than before, each
in logarithms. The false-alarm setting: with 200 classes 0.03 false ones a hundred quiet records of the tuning seeds of
tests/truth, where 13 of 24 mislabelled classes are found."""
FAILS = 0.5
"""What the first three factors must reach, before anybody looks what its images were taken for."""

TakenFor = Callable[[int, slice], IntArray]
"""Returns the labels that the images of a class got at some validations, by position, shape (images, validations);
negative where one is lost."""


def fails_alone(errors: FloatArray, rise: FloatArray, soon: FloatArray) -> FloatArray:
    """Return the first three factors of the product, shape (K,).

    Args:
        errors: Of classes at HOLDS validations or more, shape (K, n).
        rise: Their rise there, likewise.
        soon: Gradients of their rows, as `Taught.soon`, shape (K,).
    """
    mean_rise = rise[:, :HOLDS].mean(axis=1)
    found: FloatArray = errors[:, :HOLDS].min(axis=1) * np.maximum(mean_rise, 0.0) * np.maximum(-soon, 0.0)
    return found


def takes_its_place(label: int, taken: IntArray, before: int, classes: int, taught: Taught) -> float:
    """Return the last two factors for the class that took most images of another beyond what it ever took before.

    Args:
        label: The class whose images they are.
        taken: Labels that they got, shape (images, validations).
        before: How many of the validations come before it failed.
        classes: Number of classes.
        taught: How much each was taught behind the validation from which on it fails.

    Returns:
        0 where none took more than before, or it is not taught more.
    """
    counts = np.array([np.bincount(column[column >= 0], minlength=classes)[:classes] for column in taken.T])
    more = counts[before:].mean(axis=0) - counts[:before].max(axis=0)
    more[label] = 0.0
    other = np.array([int(more.argmax())])
    if not more[other[0]] > 0:
        return 0.0
    gradient, moves = float(taught.among(other)[0]), float(taught.moved(other)[0] + taught.own(other)[0])
    return gradient * moves if gradient > 0 and moves > 0 else 0.0
