"""Reads activations during one validation, by forward hooks that are gone afterwards.

Owns which pass an image was in. A pass of the model counts as the validation's own rule says
(`dtui.record.validation.watched`): where the model is called several times for a batch, an image has its largest
value in any of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from dtui.record.network.hooks import QuietHook
from dtui.record.validation.activations.part import ActivationPart
from dtui.record.validation.activations.places import Reading
from dtui.record.validation.activations.tally import CANDIDATES, ROW_BITS, Ranking, Tally
from dtui.record.validation.output_kind import is_compiled
from dtui.record.writing.warn import reason_of, warn_once


@dataclass(eq=False, slots=True)
class _Pass:
    """A pass whose images wait, because another call for the same batch may follow."""

    number: int
    count: int
    batches: int
    peaks: dict[Tally, Tensor]


class ActivationWatch:
    """Reads the activations of one validation, from `begin` to `end`; `part` tells what was counted."""

    def __init__(self, readings: Sequence[Reading], filters: int) -> None:
        """Prepare to read; nothing is hooked yet.

        Args:
            readings: What is read of each layer.
            filters: Filters of all layers of the run.
        """
        self._tallies = [Tally(reading) for reading in readings]
        self._filters = filters
        self._handles: list[RemovableHandle] = []
        self._broken: dict[Tally, str] = {}
        self._waiting: _Pass | None = None
        self._rankings: dict[tuple[Tally, ...], Ranking] = {}

    def begin(self) -> None:
        """Hook the modules."""
        for tally in self._tallies:
            see = QuietHook(lambda _, __, output, tally=tally: self._see(tally, output))
            self._handles.append(tally.reading.module.register_forward_hook(see))

    def end(self) -> None:
        """Remove every hook."""
        for handle in self._handles:
            handle.remove()
        self._handles = []

    def judged(self, number: int, count: int, batches: int = 0) -> None:
        """Note that a pass has ended; never raises.

        Args:
            number: Of the pass, from 0.
            count: Images in it.
            batches: Batches that the loader had given out; 0 where there is no loader.
        """
        peaks = {tally: found for tally in self._tallies if (found := tally.take_peaks()) is not None}
        peaks = {tally: found for tally, found in peaks.items() if len(found) == count and tally not in self._broken}
        before = self._waiting
        is_again = before is not None and before.batches == batches > 0 and number >= batches
        if is_again and before is not None and before.count == count:
            for tally, found in before.peaks.items():
                peaks[tally] = torch.maximum(peaks[tally], found) if tally in peaks else found
        elif before is not None:
            self._settle(before)
        self._waiting = _Pass(number, count, batches, peaks)

    def part(self, starts: Mapping[int, tuple[int, int]]) -> ActivationPart | None:
        """Return what was counted; None, and the reason told, if no layer was seen.

        Args:
            starts: Of each pass that counts, where its images begin among those of the validation, and their number.
        """
        if self._waiting is not None:
            self._settle(self._waiting)
            self._waiting = None
        part = ActivationPart.of_none(self._filters, CANDIDATES)
        is_any = False
        for tally in self._tallies:
            counted = None if tally in self._broken else tally.counted()
            if counted is not None:
                is_any = True
                rows = slice(tally.reading.first, tally.reading.first + tally.reading.filters)
                part.zeros[rows], part.sums[rows], part.totals[rows] = counted.zeros, counted.sums, counted.total
        self._rank(part, starts)
        self._tell_broken()
        if not is_any:
            warn_once(
                "activations unseen",
                "activations: no layer of the model was called in this validation; call the model that the recorder "
                "was given, or pass the module that is called as model=",
            )
        return part if is_any else None

    def _see(self, tally: Tally, output: Any) -> None:
        if tally in self._broken:
            return
        try:
            with torch.no_grad():
                tally.see(output if isinstance(output, Tensor) else output[0])
        except Exception as error:  # noqa: BLE001 - told when the validation ends; evaluation goes on
            self._broken[tally] = reason_of(error)

    def _settle(self, one: _Pass) -> None:
        """Rank the images of a pass, all layers of a device together."""
        for device in {peaks.device for peaks in one.peaks.values()}:
            tallies = tuple(tally for tally, peaks in one.peaks.items() if peaks.device == device)
            try:
                with torch.no_grad():
                    ranking = self._rankings.setdefault(tallies, Ranking())
                    ranking.merge([one.peaks[tally] for tally in tallies], one.number)
            except Exception as error:  # noqa: BLE001 - as in `_see`
                self._broken.update(dict.fromkeys(tallies, reason_of(error)))

    def _rank(self, part: ActivationPart, starts: Mapping[int, tuple[int, int]]) -> None:
        """Put the images into a part; layers that were not called in every pass stand in several rankings."""
        for tallies, ranking in self._rankings.items():
            peaks, images = (found.numpy() for found in ranking.best())
            places, begin = _positions(images, starts), 0
            for tally in tallies:
                reading = tally.reading
                own, rows = slice(begin, begin + reading.filters), slice(reading.first, reading.first + reading.filters)
                begin += reading.filters
                if tally in self._broken:
                    continue
                found = np.where(peaks[:, own] <= 0, -np.inf, peaks[:, own]) if tally.has_zeros else peaks[:, own]
                every = np.concatenate([part.peaks[:, rows], found])
                order = np.argsort(-every, axis=0, kind="stable")[:CANDIDATES]
                part.peaks[:, rows] = np.take_along_axis(every, order, axis=0)
                both = np.concatenate([part.images[:, rows], places[:, own]])
                part.images[:, rows] = np.take_along_axis(both, order, axis=0)

    def _tell_broken(self) -> None:
        if self._broken:
            first, more = next(iter(self._broken)), len(self._broken) - 1
            warn_once(
                "activations broken",
                f"layer {first.reading.layer}: its activations are not kept: {self._broken[first]}"
                + (f"; and those of {more} more layers" if more else ""),
            )


def refusal(model: nn.Module) -> str:
    """Return why the activations of a model cannot be read, in one line; "" if they can be."""
    if isinstance(model, torch.jit.ScriptModule):
        return (
            "activations: the model is of TorchScript, whose layers take no hooks; evaluate the module that it was "
            "made from, given as model=, or leave activations out"
        )
    if is_compiled(model):
        return (
            "activations: the model is compiled, and hooks inside it are not seen; evaluate the uncompiled model, "
            "given as model=, or leave activations out"
        )
    if isinstance(model, nn.DataParallel) and len(model.device_ids) > 1:
        return (
            f"activations: DataParallel runs copies of the model on {len(model.device_ids)} devices, whose hooks are "
            "not seen in order; evaluate model.module, given as model=, or leave activations out"
        )
    return ""


def _positions(images: np.ndarray[Any, Any], starts: Mapping[int, tuple[int, int]]) -> np.ndarray[Any, Any]:
    """Return where images stand among those of the validation, -1 for one of a pass that does not count."""
    numbers, rows = images >> ROW_BITS, images & ((1 << ROW_BITS) - 1)
    passes = max([-1, *starts]) + 1
    firsts, counts = np.zeros(passes + 1, np.int64), np.zeros(passes + 1, np.int64)
    for number, (first, count) in starts.items():
        firsts[number], counts[number] = first, count
    numbers = np.where((images < 0) | (numbers >= passes), passes, numbers)  # the last one has no images
    return np.where(rows < counts[numbers], firsts[numbers] + rows, -1)
