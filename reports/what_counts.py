"""Says from which change on each check finds something, in a sentence for readers who know no option of ours.

Owns the sentences; the numbers in them are what the checks are set to.
"""

from __future__ import annotations

from collections.abc import Mapping

from dtui.model import Check
from dtui.model.judging import Judging, as_groups
from dtui.number_text import number_text

_ABOVE = "{times} times the usual, and {least z} times its usual scatter above that"
SENTENCES: Mapping[str, str] = {
    "drops of classes": "an error that is unusual for the class, beside the other classes, while the network is wrong "
    "on less than {guessing %}. It has stayed where half of the rise is there at {held} of 8 validations. The class is "
    "not taught where the rise, by how little it is taught, scores {missing}, or where ln of its gradient against that "
    "of the middle class is {left alone}. Another takes its place where error, rise, how little it is taught and how "
    "much the other is score {renamed}. At most {most classes} classes are named",
    "drops of the whole network": "the error of all classes together, far above its own history",
    "dying filters": "a gradient below {share %} of what a quarter of the layer's filters exceed, {records} records "
    "in a row, after one in {alive %} of the 10 records before; at least {fewest} filters, and {least of a layer %} of "
    "the layer",
    "jumps of filters": "a change by {least change %} of its weights, {times the layer} times that of the layer's "
    "middle filter, and {least z} times its usual scatter above its own usual; in {most of a layer %} of the filters "
    "or fewer, more are a jump of the layer",
    "layers that stop changing": "a change below {share %} of that of the middle layer, {records} records in a row",
    "jumps of all gradients": f"a norm of {_ABOVE}",
    "jumps of layers": "a change by {least change %} of its weights, {times} times its usual against the other "
    "layers, and {least z} times its usual scatter above that; or ln of its norm leaps by {leap} in one record",
    "jumps of the loss": f"a loss above {{least}}, {_ABOVE}; one below {{smallest}} counts as that",
    "NaN and Inf": "any, and again after {rest} records without; where more than {most of the network %} of the "
    "layers are hit at once, none is named. Ranked as {strength} times the usual scatter",
    "shifts of normalisation layers": f"{_ABOVE}, and in one record: a mean by {{least mean shift}} standard "
    "deviations, ln of a variance by {least variance shift}, or scales by {least scale shift %}; or "
    "{zero scales %} more scales at zero",
    "leaps of the learning rate": "{times} times what it was a record before",
    "jumps of all updates": f"updates of {_ABOVE}",
    "the flight recorder": "what it fired on; a filter only if its weights are {least change %} off at the next record",
}
"""By the title of the check; "{name}" is a value as it is set, "{name %}" the same as a share."""


def what_counts(check: Check, judging: Judging | None = None) -> str:
    """Return from which change on a check finds something, without a full stop; "" for a check without a sentence.

    Args:
        check: What it is set to.
        judging: What decides what is right; in a run with scores classes are groups, also in the title of the check.
    """
    shown = {name: number_text(value, 6) for name, value in check.thresholds}
    shown |= {f"{name} %": f"{number_text(100 * value, 6)} %" for name, value in check.thresholds}
    told = next((said for title, said in SENTENCES.items() if as_groups(title, judging) == check.title), "")
    return as_groups(told.format_map(shown), judging)
