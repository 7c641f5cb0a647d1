"""How a run's items are judged where the largest class score does not decide it: by a number an item, its score."""

from __future__ import annotations

import math
from collections.abc import Sequence

from dtui.dataclass_on_use import dataclass

HIGHER, LOWER = "higher", "lower"
"""Which scores are better."""
BY_THRESHOLD, BY_TENTH, BY_LABEL = "threshold", "tenth", "label"
RULES = (BY_THRESHOLD, BY_TENTH, BY_LABEL)
NOT_RIGHT = "not right"
"""The name of the class that items get which are not right and have no label of their own; no item belongs to it."""
ANOTHER = "another label"
"""The same where labels decide: a label that no group has."""
SCORE = "score"
"""The score's name where nobody gave one, and the name of its column."""
TENTH_VALIDATIONS = 20
"""Validations that the tenth rule looks back on, the present one included."""
MEAN, LIMIT, WORST_TENTH = "mean", "limit", "worst_tenth"
LONGEST_NAME = 64


@dataclass(frozen=True, slots=True)
class Judging:
    """What decides whether an item is right, in the validations of one run.

    The run's groups stand where classes stand elsewhere. Behind them is one class more, `other`, that no item belongs
    to: it is the label of an item that is not right and has no label of its own.

    Attributes:
        score: Name of the score, such as "IoU"; data from outside.
        better: HIGHER or LOWER.
        rule: BY_THRESHOLD: right from the threshold on. BY_TENTH: not right where worse than the worst tenth was at
            the best of the last TENTH_VALIDATIONS validations. BY_LABEL: right where the label is the group.
        threshold: Of BY_THRESHOLD; None for the other rules.
        other: Label of the class that no item belongs to.
        has_scores: Whether the items have scores; False where labels alone were given.
    """

    score: str
    better: str
    rule: str
    threshold: float | None
    other: int
    has_scores: bool = True

    @property
    def is_labelled(self) -> bool:
        """Whether labels decide, so that a confusion says what an item was taken for."""
        return self.rule == BY_LABEL

    @property
    def limit_name(self) -> str:
        """The name under which the limit of the tenth rule is logged at every validation."""
        return logged_name(self.score, LIMIT)

    @property
    def sentence(self) -> str:
        """What is right, as one line without a full stop; it holds the score's name, data from outside."""
        if self.rule == BY_LABEL:
            return "an item is right where its label is its group"
        if self.rule == BY_THRESHOLD and self.threshold is not None:
            side = "at least" if self.better == HIGHER else "at most"
            return f"an item is right where its {self.score} is {side} {self.threshold:g}"
        return (
            f"an item is not right where its {self.score} ({self.better} is better) is worse than that of the worst "
            f"tenth at the best of the last {TENTH_VALIDATIONS} validations"
        )


def logged_name(score: str, what: str) -> str:
    """Return the name under which a number about all scores of a validation is logged: `what` is MEAN, LIMIT, …."""
    return f"{score}_{what}"


def check_judging(judging: Judging, classes: int) -> Judging:
    """Return it if it is possible in a run of so many classes.

    Raises:
        ValueError: It is not.
    """
    is_number = judging.threshold is not None and math.isfinite(judging.threshold)
    if judging.better not in (HIGHER, LOWER) or judging.rule not in RULES:
        raise ValueError("a rule of judging that is unknown")
    if (judging.rule == BY_THRESHOLD) != is_number or not 0 <= judging.other < classes:
        raise ValueError("a rule of judging that cannot be")
    if not 1 <= len(judging.score) <= LONGEST_NAME:
        raise ValueError("a score without a name, or with a very long one")
    return judging


def as_groups(words: str, judging: Judging | None) -> str:
    """Return words of ours on classes and images, said of groups and items in a run that scores decide.

    Not for names from outside. Items may be texts, boxes or numbers, so none is called an image.
    """
    if judging is None:
        return words
    for word, said in (("classes", "groups"), ("Classes", "Groups"), ("class", "group"), ("image", "item")):
        words = words.replace(word, said)
    return words.replace("Image", "Item")


def class_called(name: str, judging: Judging | None = None) -> str:
    """Return a class as a sentence names it: "class cat", or "class 0" of one that is called so itself.

    Args:
        name: Of the class; data from outside.
        judging: What decides what is right; in a run with scores it is a group.
    """
    word = as_groups("class", judging)
    return name if _names_itself(name, word) else f"{word} {name}"


def classes_called(names: Sequence[str]) -> str:
    """Return some classes, at least one, as a sentence names them: "classes cat, dog", or "class 0, class 4"."""
    if len(names) == 1 or any(_names_itself(name, "class") for name in names):
        return ", ".join(map(class_called, names))
    return f"classes {', '.join(names)}"


def _names_itself(name: str, word: str) -> bool:
    """Whether a name begins with the word for what it names, as "class 0" and "class_0" do, and "classic" does not."""
    return name.lower().startswith(word) and not name[len(word) : len(word) + 1].isalpha()
