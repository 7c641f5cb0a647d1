"""Answers whether the validations show that anything was learned: a plain sum beside the incidents, and none of them.

Owns what counts as chance, and the words for it.
"""

from __future__ import annotations

import math

from dtui.model.judging import BY_TENTH, HIGHER, MEAN, Judging, logged_name
from dtui.query.classes.errors import error_of_all, images_judged
from dtui.query.curves import curve_points, known_errors
from dtui.query.data import RunData

FEWEST_FOR_CHANCE, FEWEST_FOR_A_FALL = 2, 5
"""Validations from which on something is said: the first may come before any update."""
LUCK = 2.0
"""Standard errors by which a guess may be better on these images than it is on others."""


def not_learned(data: RunData) -> str:
    """Return why the validations do not show that the network learned anything; "" where they do, or cannot tell.

    Returns:
        The second half of a sentence such as "no incident, but …", without data from outside.
    """
    found: str = data.remembered("not learned", lambda: _no_better_than_chance(data) or _has_not_fallen(data))
    return found


def _no_better_than_chance(data: RunData) -> str:
    """Compare the last validation with a guess: the commonest class for every image.

    Where scores decide nobody knows what a guess would get, and where an image has no label which images are left.
    """
    sizes = data.layout.images
    total, many = int(sizes.sum()), len(data.validations)
    if many < FEWEST_FOR_CHANCE or not total or not (data.judging is None or data.judging.is_labelled):
        return ""
    error, guess = float(error_of_all(data)[-1]), 1 - int(sizes.max()) / total
    lucky = guess - LUCK * math.sqrt(guess * (1 - guess) / total)
    if images_judged(data)[-1] != total or not error > max(0.0, lucky):
        return ""
    luck = f", with luck {_share(lucky)}" if error < guess else ""
    what = "images" if data.judging is None else "items"
    return (
        f"the network is no better than chance: {_share(error)} of {total:,} {what} are wrong at "
        f"{int(data.validations[-1]):,}, where guessing gets {_share(guess)} wrong{luck}"
    )


def _has_not_fallen(data: RunData) -> str:
    """Compare the first validation with the best; where the limit follows the scores, the error tells nothing."""
    name, _, errors = known_errors(data)
    judging = data.judging
    if name != "validation_error" or len(errors) < FEWEST_FOR_A_FALL:
        return ""
    if (judging is not None and judging.rule == BY_TENTH) or not errors.min() >= errors[0] > 0:
        return ""
    first = f"has not fallen below that of the first validation, {_share(float(errors[0]))}"
    if judging is None:
        return f"the validation error {first}"
    share = f"the share of items that are not right {first}"
    return ("no item was right at any validation" if errors.min() >= 1 else share) + _as_scored(data, judging)


def _as_scored(data: RunData, judging: Judging) -> str:
    """Return from which score on an item is right, and how the mean score went; it may rise below the threshold."""
    side = "at least" if judging.better == HIGHER else "at most"
    parts = [] if judging.threshold is None else [f"right is a score of {side} {judging.threshold:g}"]
    points = curve_points(data).get(logged_name(judging.score, MEAN))
    known = [float(mean) for mean in points[1] if math.isfinite(mean)] if points else []
    parts += [f"the mean score went from {known[0]:.3g} to {known[-1]:.3g}"] if len(known) > 1 else []
    return f" ({'; '.join(parts)})" if parts else ""


def _share(share: float) -> str:
    return f"{100 * share:.1f}".removesuffix(".0") + " %"
