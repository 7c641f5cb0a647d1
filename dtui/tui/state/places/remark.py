"""What is said of a place that a link names and the run has not: one sentence, or a few words among others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Remark(NamedTuple):
    """One thing that is said.

    Attributes:
        alone: A sentence.
        among: The same, shortly: several fit in a row.
    """

    alone: str
    among: str


def missing(what: str, instead: str = "", more: str = "") -> Remark:
    """Return the remark that something is not there.

    Args:
        what: What was asked for, with its kind: "layer conv9".
        instead: What is shown in its place; "" for nothing.
        more: What is said behind it.
    """
    this_is, short = (f": this is {instead}", f": {instead}") if instead else ("", "")
    return Remark(f"there is no {what}{this_is}{more}", f"no {what}{short}{more}")


def in_a_row(remarks: Sequence[Remark]) -> str:
    """Return remarks as one line; "" for none."""
    return remarks[0].alone if len(remarks) == 1 else "; ".join(remark.among for remark in remarks)
