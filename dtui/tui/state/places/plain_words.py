"""What people type behind the colon, as the words that places and actions are called by: two lists, and no grammar."""

from __future__ import annotations

from collections import defaultdict

from dtui.dataclass_on_use import dataclass

_LEFT_OUT = (
    "a all an and any are at been can could did do does find for from get go has have how i in is it its me my not of"
    " on or out please s see show tell than that the their them then there these they this those to two was were what"
    " what's when where where's which who why will with"
)
LEFT_OUT = frozenset(_LEFT_OUT.split())
"""Words of a question that say nothing of what is looked for."""
_SAID = {
    "broke": "bad break breaking broken crash crashed exploded fail failed failing happen happened incident problem"
    " trouble went why worse worst wrong",
    "changed": "change jump jumped move moved",
    "class": "category label",
    "compare": "differ difference diverge part split",
    "confusion": "confuse confused mistake mistaken mixed taken",
    "dead": "die died dying killed",
    "export": "save screenshot",
    "error": "accuracy worst",
    "filter": "kernel neuron unit",
    "forgotten": "forget forgot",
    "healthy": "fine good ok okay unhealthy",
    "image": "item photo picture sample",
    "moving": "move moves unstable",
    "quit": "close exit leave",
    "stopped": "frozen learn learning stop stuck train training",
    "whole": "entire",
    "wrong": "bad misclassified worst",
}
"""What places say, and what people say for it."""
MEANT: dict[str, tuple[str, ...]] = defaultdict(tuple)
for _said, _others in _SAID.items():
    for _other in _others.split():
        MEANT[_other] += (_said,)


@dataclass(frozen=True, slots=True)
class Word:
    """One word of a line.

    Attributes:
        forms: Itself, and its singular.
        meant: What a place may say for it.
    """

    forms: tuple[str, ...]
    meant: tuple[str, ...]

    def is_in(self, words: str, hint: str) -> bool:
        """Whether a place says it: anywhere in its words, or where a word of its hint begins."""
        return any(form in words or f" {form}" in hint for form in self.forms)

    def is_meant_by(self, words: str, hint: str) -> bool:
        """Whether a place says it, or says something else for it."""
        return self.is_in(words, hint) or any(said in words or f" {said}" in hint for said in self.meant)


@dataclass(frozen=True, slots=True)
class Asked:
    """A typed line.

    Attributes:
        line: All of it, in small letters.
        short: Without words that say nothing, unless it has no others.
        words: Those of `short`.
    """

    line: str
    short: str
    words: tuple[Word, ...]

    def rank(self, words: str, hint: str) -> int | None:
        """Return how well a place fits, 0 the best; None if it does not.

        0 it is called so, 1 its words begin so, 2 one of them does, 3 they have all that is asked for in any order, 4
        and its hint has the rest, 5 they have what is meant, 6 and its hint has the rest.
        """
        both = f"{words}\n {hint}".casefold()
        for word in self.words:  # most places fail here, at each letter that is typed
            for one in word.forms + word.meant:
                if one in both:
                    break
            else:
                return None
        words, _, hint = both.partition("\n")
        for text in (self.line, self.short):
            if words == text:
                return 0
            if words.startswith(text):
                return 1
            if f" {text}" in words or f".{text}" in words:
                return 2
        for rank, told in ((3, ""), (4, hint)):
            if all(word.is_in(words, told) for word in self.words):
                return rank
        for rank, told in ((5, ""), (6, hint)):
            if all(word.is_meant_by(words, told) for word in self.words):
                return rank
        return None


def asked(line: str) -> Asked:
    """Return what a line asks for."""
    line = line.strip().casefold()
    words = [bare for word in line.split() if (bare := word.strip("?!;\"'“”‘’"))] or line.split()
    telling = [word for word in words if word not in LEFT_OUT] or words
    return Asked(line, " ".join(telling), tuple(map(_word, telling)))


def _word(word: str) -> Word:
    is_plural = len(word) > 3 and word.endswith("s") and not word.endswith("ss")
    forms = (word, *(word.removesuffix(end) for end in ("s", "es") if is_plural))
    return Word(forms, tuple(dict.fromkeys(said for form in forms for said in MEANT.get(form, ()))))
