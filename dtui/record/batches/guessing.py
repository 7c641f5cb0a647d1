"""Chooses the batches that a call of the network is of, where it got a tensor of none, as on another device.

Owns the order in which they come: what the network has not met yet, of loaders that are still iterated, the newest
first; or all that the loop has, where the call has as many rows as they have samples together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from torch import Tensor

from dtui.record.batches.handed import Handed
from dtui.record.batches.kept import Batch


@dataclass(eq=False, slots=True)
class SinceUpdate:
    """What was seen since the last update, beside the batches that each loader handed out.

    Attributes:
        is_called: Whether the network was called, so that gradients came of that.
        is_unknown: Whether a call was of no batch that is known.
        may_be_old: Whether the last call may have been of a batch that was used before.
        is_doubted: Whether such a call was, to which gradients went back.
        has_arrived: Whether gradients arrived.
        again: Batches of before that the last call got.
        reached: Those of them that gradients go back to.
        fresh: The batches that were used.
    """

    is_called: bool = False
    is_unknown: bool = False
    may_be_old: bool = False
    is_doubted: bool = False
    has_arrived: bool = False
    again: list[Batch] = field(default_factory=list)
    reached: list[Batch] = field(default_factory=list)
    fresh: list[Batch] = field(default_factory=list)


def guess(handed: Sequence[Handed], called: Sequence[Tensor]) -> bool:
    """Choose among the batches that loaders handed out; each pass then knows its own.

    Args:
        handed: The passes.
        called: The tensors that the network is called with.

    Returns:
        Whether there was any.
    """
    offers = [(one, one.offered(is_owed=any(other.is_owing for other in handed if other is not one))) for one in handed]
    for one in handed:
        one.feed([])
    unmet = [(one, [batch for batch in offered if not batch.is_met]) for one, offered in offers]
    offers = [(one, offered) for one, offered in unmet if offered] or [offer for offer in offers if offer[1]]
    offers = [offer for offer in offers if offer[0].goes_on] or offers
    rows = {tensor.shape[0] for tensor in called if tensor.ndim}
    for one, offered in offers:
        is_all = len(offers) == 1 < len(offered) and all(batch.is_whole for batch in offered)
        is_all = is_all and sum(len(batch.ids) for batch in offered) in rows
        one.guess(offered if is_all else offered[-1:])
    if len(offers) == 1 == len(offers[0][1]):
        offers[0][1][0].show(called)
    return bool(offers)
