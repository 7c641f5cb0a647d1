"""Matches the forward passes of the model with the batches of the loader."""

from __future__ import annotations

from collections.abc import Sequence

from dtui.record.validation.loader_tap import Batch
from dtui.record.validation.scores import Predicted
from dtui.record.validation.targets import UnusableLoaderError
from dtui.record.writing.warn import warn_once

_STATE = "use recorder.predictions(logits, targets, ids)"


def match(batches: Sequence[Batch], seen: Sequence[Predicted]) -> list[Predicted | None]:
    """Return the pass of each batch, None for a batch that was not judged.

    If there are as many passes as batches, they match in order, even if the loader runs ahead. If there are fewer
    passes, as in a loop that breaks early or skips batches, a pass belongs to the batch that was given out last. If
    there are more, the last pass of a batch counts, with one warning.

    Args:
        batches: In the order in which they were given out.
        seen: In the order of the calls.

    Raises:
        UnusableLoaderError: They do not match, or in two ways.
    """
    if not batches or not seen:
        raise UnusableLoaderError(
            f"validation: {len(batches)} batches of the loader and {len(seen)} calls of the model were seen; "
            "pass the loader that is iterated over, and the module that is called as model="
        )
    if len(seen) == len(batches):
        chosen: list[Predicted | None] = list(seen)
    else:
        last = {predicted.batches: predicted for predicted in seen}
        chosen = [last.get(number) for number in range(1, len(batches) + 1)]
        if seen[0].batches > 1 or _are_mixed(batches, chosen):  # it runs ahead, or the first ones were passed over
            raise UnusableLoaderError(
                f"{_mismatch(batches, seen)}, or pass only the batches that are judged, such as batches[:10]"
            )
        if len(seen) > len([one for one in chosen if one is not None]):
            warn_once(
                "calls",
                f"validation: the model was called {len(seen)} times for {len(batches)} batches; the last call for "
                f"each counts; where its answers are put together, {_STATE}",
            )
    for batch, predicted in zip(batches, chosen, strict=True):
        if predicted is not None and len(predicted.labels) != len(batch.targets):
            raise UnusableLoaderError(
                f"{_mismatch(batches, seen)} (the model answered for {len(predicted.labels)} images, "
                f"the batch holds {len(batch.targets)})"
            )
    return chosen


def _are_mixed(batches: Sequence[Batch], chosen: Sequence[Predicted | None]) -> bool:
    """Whether batches of two passes that overlap would be judged: one of them was given out, and another one used."""
    passes = [batch.of_pass for batch in batches]
    judged = {one for one, predicted in zip(passes, chosen, strict=True) if predicted is not None}
    return len(judged) > 1 and passes != sorted(passes)


def _mismatch(batches: Sequence[Batch], seen: Sequence[Predicted]) -> str:
    return f"validation: {len(seen)} calls of the model do not match {len(batches)} batches; {_STATE}"
