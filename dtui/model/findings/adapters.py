"""How large a change adapters make to their weights at the end of a run, and how it is told."""

from __future__ import annotations

from collections.abc import Sequence

from dtui.dataclass_on_use import dataclass
from dtui.model.structure import LORA
from dtui.number_text import number_text

NAMED = 3
MANY = 5.0
"""From so many times on a share is told in times, not in percent."""


@dataclass(frozen=True, slots=True)
class AdapterState:
    """One adapter at the last record.

    Attributes:
        name: Dotted name of the module that it changes; data from outside.
        adapter: Its own name; data from outside.
        kind: "LoRA", or what is not measured; data from outside.
        rank: Its rank; 0 where it has none.
        base: Name of the layer whose weight it changes; "" where that weight is not recorded.
        size: ‖BA‖ · scale, >= 0; None where that is not known.
        share: Of the norm of its weight; None where one of them is not known.
    """

    name: str
    adapter: str
    kind: str
    rank: int
    base: str
    size: float | None
    share: float | None


def adapter_sentences(adapters: Sequence[AdapterState]) -> tuple[str, ...]:
    """Return what is to be said of the adapters of a run, a sentence each; names are data from outside."""
    lines = []
    compared = sorted((one for one in adapters if one.share is not None), key=lambda one: -(one.share or 0.0))
    measured = [one for one in adapters if one.kind == LORA]
    if measured:
        ranks = ", ".join(f"{rank}" for rank in sorted({one.rank for one in measured}))
        said = f"{len(measured):,} {LORA} of rank {ranks}"
        if compared:
            first = compared[0]
            said += f"; the largest, with a ‖BA‖·scale of {share_text(first.share)}, is that of {first.name}"
        lines.append(said)
    still = [one for one in measured if one.size == 0]
    if still:
        lines.append(f"{_count(still, 'change')} nothing yet, their BA is zero: {_named(still)}")
    alone = [one for one in measured if not one.base]
    if alone:
        lines.append(f"{_count(alone, 'stand')} beside a weight that is not recorded: {_named(alone)}")
    others = [one for one in adapters if one.kind != LORA]
    if others:
        kinds = ", ".join(dict.fromkeys(one.kind for one in others))
        said = f"{_count(others, 'are')} not compared with the weight"
        lines.append(f"{said} ({kinds}; only {LORA} is): {_named(others)}")
    return tuple(lines)


def share_text(share: float | None) -> str:
    """Return a share of a weight's norm as people read it, such as "3.1 % of ‖W‖"; "" for none."""
    if share is None:
        return ""
    return f"{number_text(100 * share)} % of ‖W‖" if share < MANY else f"{number_text(share)} times ‖W‖"


def _count(adapters: Sequence[AdapterState], verb: str) -> str:
    if len(adapters) != 1:
        return f"{len(adapters):,} {verb}"
    return f"1 {'is' if verb == 'are' else f'{verb}s'}"


def _named(adapters: Sequence[AdapterState]) -> str:
    names = list(dict.fromkeys(one.name for one in adapters))
    more = f" and {len(names) - NAMED:,} more" if len(names) > NAMED else ""
    return f"{', '.join(names[:NAMED])}{more}"
