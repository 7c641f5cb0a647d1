"""Writes a measured number as people write it: no exponents, commas in thousands, words for millions.

Owns the only such rule, for reports, the command line and sentences (the script of a report has its twin), and
the one that keeps a number on the line of its unit. `counted` says how many there are of something.
"""

from __future__ import annotations

import math
import re
from decimal import Decimal

LEAST = Decimal("0.00001")
"""Smallest number that is written with all its zeros."""
WORDS = ((Decimal(10**12), "trillion"), (Decimal(10**9), "billion"), (Decimal(10**6), "million"))
MOST = Decimal(10**15)
NO_BREAK = "\u00a0"
"""A space at which no line ends."""
_BEFORE_UNIT = re.compile(
    r"(?<=[\d⁰¹²³⁴⁵⁶⁷⁸⁹]) (?=(?:[%‰σ]|(?:m|b|tr)illion|[kMGT]?B|[KMGT]iB|[mµ]?s|min|h|d|px)(?!\w))"
)
_RAW = re.compile(
    r"(?<![\w.])\d+(?:\.\d+)?"
    r"(?:e[+-]\d+(?= (?:times|%|standard deviations))|%(?= in one record| of its scales are zero))"
)
"""A number within a sentence that is not written as people write it."""
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def number_text(value: float, digits: int = 3) -> str:
    """Return a number, such as "13,600", "0.000023", "2.2 million" or "1.2·10⁻⁷".

    Args:
        value: Any; NaN and the infinities are "NaN or Inf".
        digits: Significant ones that are kept, >= 1; zeros at the end of a fraction are dropped.
    """
    if not math.isfinite(value):
        return "NaN or Inf"
    rounded = Decimal(f"{value:.{digits - 1}e}").normalize()
    size, sign = abs(rounded), "−" if rounded < 0 else ""
    if size == 0:
        return "0"
    if not LEAST <= size < MOST:
        power = size.adjusted()
        return f"{sign}{size.scaleb(-power):f}·10{str(power).translate(_RAISED)}"
    for unit, word in WORDS:
        if size >= unit:
            return f"{sign}{(size / unit).normalize():,f} {word}"
    return f"{sign}{size:,f}"


def unparted(text: str) -> str:
    """Return a text in which no line ends between a number and its unit, such as in "80 %" or "2.2 million"."""
    return _BEFORE_UNIT.sub(NO_BREAK, text)


def with_plain_numbers(sentence: str) -> str:
    """Return a sentence with "1e+06 times" as "1 million times", and "35% in one record" as "35 % in one record"."""
    return _RAW.sub(_plainly, sentence)


def _plainly(found: re.Match[str]) -> str:
    number, is_share = found[0].removesuffix("%"), found[0].endswith("%")
    return f"{number_text(float(number), 6)} %" if is_share else number_text(float(number))


def counted(count: int, noun: str, plural: str = "") -> str:
    """Return how many there are of something, such as "1 filter" or "1,024 filters".

    Args:
        count: How many.
        noun: What one of them is called.
        plural: What several are called; "" for the noun with an s, or with es where it hisses ("classes", "batches").
    """
    several = plural or noun + ("es" if noun.endswith(("s", "x", "ch", "sh")) else "s")
    return f"{count:,} {noun if count == 1 else several}"
