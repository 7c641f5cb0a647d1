"""Finds the samples whose gradients went into each update.

Owns the rule. A loader hands out batches. When gradients arrive at the network, those batches were used that the calls
got through which they came: those whose tensors a call got, also once more; where it got none, of each loader the
newest that was not used yet. An update takes all that were used since the one before. So a batch that a loop passes
over, one that is fetched ahead, and the batches of an evaluation are none of them, nor one whose gradients are cleared
before the update. An update without a new batch, of a network that is never called as a whole (a GAN's other half),
used those of the update before. A name that is given is right: where it cannot be known there is none, which is told.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from dtui.errors import RecorderError
from dtui.model import Column, IntArray
from dtui.record.batches.clearing import Cleared, LeftGradients
from dtui.record.batches.guessing import SinceUpdate, guess
from dtui.record.batches.handed import Handed
from dtui.record.batches.kept import Batch, Ids, KeptBatches, owned
from dtui.record.batches.network import at_calls, at_gradients
from dtui.record.batches.passes import Pass, leave, listen, pass_on, reach
from dtui.record.batches.samples import MOST_SAMPLES, USUAL_SAMPLES, SampleColumns, Samples, as_ids
from dtui.record.batches.tensors import tensors_in
from dtui.record.network.hooks import QuietHook
from dtui.record.training.loader_order import below_subsets, found_in
from dtui.record.validation.output_kind import is_compiled
from dtui.record.validation.targets import Place, pick
from dtui.record.writing.warn import reason_of, warn_once

MOST_OPEN = 16
"""Loaders that are iterated at once."""
UNSEEN = 8
"""Updates without a batch after which that is told."""


def place_in(batches: Any) -> Place | None:
    """Return where a batch has ids, if that is what `batches` says; None if it is a loader or a switch."""
    is_place = not isinstance(batches, bool) and (isinstance(batches, int | str) or callable(batches))
    return batches if is_place and not hasattr(batches, "dataset") else None


class UsedSamples:
    """The samples that one network was trained on since its last update."""

    def __init__(self, model: nn.Module, batches: Any, is_paused: Callable[[], bool]) -> None:
        """Begin to watch.

        Args:
            model: The network.
            batches: True for the positions in the data set; the training's loader; or where a batch has ids.
            is_paused: Whether an evaluation is running, so that no batch is for training.

        Raises:
            RecorderError: `batches` is none of that.
        """
        self._dataset: Callable[[], Any] | None = None
        self._batch_size = 0
        self._choose(batches)
        self._is_paused = is_paused
        self._open: list[Handed] = []
        self._kept = KeptBatches()
        self._used: list[tuple[Handed | None, Ids | Cleared]] = []
        self._now = SinceUpdate()
        self._handed_out = 0
        self._left = LeftGradients()
        self.last: Samples = Samples()
        """Those of the last update."""
        self._task = -1
        self._is_stated = self._is_done = False
        self._unknown = ""
        self._updates_without = self._unclear_updates = 0
        self._has_seen = False
        self._columns: SampleColumns | None = None
        calls = at_calls(model, self._entered, self._left_call)
        self._is_blind = not calls and is_compiled(model)
        self._handles = [*at_gradients(model, self._arrived), *calls]
        listen(self)
        if self._place is None:
            pass_on(self)

    def _choose(self, batches: Any) -> None:
        self._place = place_in(batches)
        if self._place is None and batches is not True:
            dataset = found_in(batches, "dataset")
            if dataset is None:
                raise RecorderError(
                    f"batches={type(batches).__name__}: give True, the training's DataLoader, or where the ids are in "
                    "a batch: a key, an index or a function; without a DataLoader call recorder.samples(ids)"
                )
            self._dataset = reach(below_subsets(dataset)[0])
            size = found_in(batches, "batch_size")
            self._batch_size = size if isinstance(size, int) else 0

    # --- what the loaders tell

    @property
    def is_awake(self) -> bool:
        """Whether a batch that is handed out now may be for training."""
        return torch.is_grad_enabled() and not self._is_paused()

    def handed_out(self, one: Pass, batch: Any, positions: IntArray | None) -> None:
        """Note a batch; never raises."""
        try:
            ids = positions if self._place is None else as_ids(pick(batch, self._place))
            if ids is None:
                self._unknown = one.problem or f"a {one.kind} hands out no positions"
                return
            handed = next((held for held in self._open if held.one is one), None)
            if handed is None:
                handed = self._begin(one)
            handed.add(ids, batch)
            self._handed_out += 1
        except Exception as error:  # noqa: BLE001 - between somebody's loader and their loop
            warn_once("batches", f"batches: a batch has no ids at {self._place!r}: {reason_of(error)}")

    def ended(self, one: Pass) -> None:
        """Note that a loader was asked for more than it had: whoever asked itself is done with the last batch."""
        for handed in [held for held in self._open if held.one is one]:
            handed.is_over = True
            if not one.is_ahead and handed.is_spent:
                self._leave_open([other for other in self._open if other is not handed])
                self._is_done = True

    def _begin(self, one: Pass) -> Handed:
        """Return the place for the batches of a new pass; what the pass before it left goes with that."""
        former = next((held for held in reversed(self._open) if held.is_before(one)), None)
        self._leave_open([held for held in self._open if held.is_owing or not held.is_before(one)][1 - MOST_OPEN :])
        self._open.append(Handed(one, former))
        return self._open[-1]

    # --- what the training does

    def say(self, ids: Any) -> None:
        """Take ids that the training states, as those of the batch that it trains on next.

        Raises:
            ValueError: They are no integers.
        """
        self._used.append((None, as_ids(ids)))
        self._is_stated = True

    def _entered(self, called: Any) -> None:
        """Note that the network is called with these arguments."""
        if self._is_stated or self._is_paused():
            return
        tensors = tensors_in(called)
        seen = [(handed, owned(handed.waiting, tensors)) for handed in self._open]
        is_any = any(found for _, found in seen)
        if not torch.is_grad_enabled():
            newest = [batch for handed in self._open[-1:] for batch in handed.offered(is_owed=True)[-1:]]
            for batch in [one for _, found in seen for one in found] if is_any else newest:
                batch.is_met = True  # where nothing else tells, a batch that was evaluated comes last
            return
        if self._used:
            self._note_clearing(self._left.look())
        self._now.is_called, self._now.may_be_old = True, False
        self._now.again = [] if is_any else self._kept.known(tensors)
        if is_any or self._now.again:
            for handed, found in seen:
                handed.meet(found)
        else:
            is_guessed = guess(self._open, tensors)
            self._now.is_unknown |= not is_guessed
            self._now.may_be_old = is_guessed and self._kept.has_old(self._now.fresh)
        self._leave_open([handed for handed in self._open if not handed.is_spent])

    def _left_call(self, output: Any) -> None:
        """Note what the network returned: gradients that go back through it are those of the batches it was given."""
        fed = [(handed, handed.fed) for handed in self._open if handed.fed]
        now, again, may_be_old = self._now, self._now.again, self._now.may_be_old
        if not (fed or again) or self._is_stated or not self.is_awake:
            return

        def go_back(*_: Any) -> None:
            for handed, batches in fed:
                handed.reached += batches
            now.reached += again
            now.is_doubted |= may_be_old

        for made in {tensor.grad_fn for tensor in tensors_in(output)}:
            if made is not None:  # a hook of the tensor itself would be told of whenever that is stored
                made.register_prehook(QuietHook(go_back))

    def _arrived(self, parameter: Tensor) -> None:
        """Note that gradients arrive at the network: each loader's batch was used."""
        task = torch._C._current_graph_task_id()
        is_same = task == self._task and task >= 0
        if self._used and not is_same:
            self._note_clearing(self._left.look_behind(parameter))
        self._left.arrived(parameter)
        if self._is_stated or is_same:
            return
        self._task = task
        now = self._now
        now.has_arrived = True
        is_reached = bool(now.reached) or any(handed.reached for handed in self._open)
        if is_reached:
            for handed in self._open:
                handed.fed = []
        else:
            now.is_doubted |= now.may_be_old
        again = now.reached or ([] if is_reached else now.again)
        taken: list[tuple[Handed | None, Batch]] = [(None, one) for one in again]
        taken += [(handed, one) for handed in self._open for one in handed.take(is_called=now.is_called)]
        now.again, now.reached = [], []
        taken = taken or [(handed, one) for handed in self._open for one in handed.take_owed()]
        for _, one in taken:
            one.is_used = True
        now.fresh += [one for _, one in taken]
        self._kept.add(one for handed, one in taken if handed is not None)
        self._used += [(handed, one.ids) for handed, one in taken if self._is_followed(one.one)]

    def _note_clearing(self, found: Cleared | None) -> None:
        """Note that the gradients of what was used were cleared, or may have been."""
        if found is not None:
            self._used.append((None, found))
            del self._used[:-MOST_SAMPLES]

    def take(self) -> Samples:
        """Return the samples of the update that was just done."""
        taken, now = self._used, self._now
        self._forget_used()
        is_used = bool(taken) and not self._is_stated
        for handed in self._open:
            handed.settle()
        passed = [(held, one) for held in list(self._open) for one in held.pass_over(is_used=is_used)]
        self._kept.add(one for _, one in passed)
        self._leave_open([handed for handed in self._open if not handed.is_spent])
        used = [part for handed, part in taken if handed is None or not handed.is_hidden]
        if now.is_doubted or all(isinstance(part, Cleared) for part in used):
            used = []
        is_lost = not taken and now.has_arrived and self._handed_out > 1 and (now.is_unknown or self._is_blind)
        if not taken and not now.has_arrived:  # all that was handed out, then
            used = [one.ids for _, one in passed if self._is_followed(one.one)]
        if taken or used or is_lost or self._is_done:
            self.last = Samples(tuple(used[-MOST_SAMPLES:]))
        self._is_done = False
        self._count_unclear(is_so=(bool(taken) or is_lost) and not used, is_ahead=any(h.is_unclear for h in self._open))
        self._has_seen = self._has_seen or is_lost or bool(taken or used)
        self._updates_without += not self._has_seen
        if self._updates_without == UNSEEN:
            self._tell_unseen()
        return self.last

    def _count_unclear(self, *, is_so: bool, is_ahead: bool) -> None:
        """Tell once that updates name no samples, though they had some."""
        self._unclear_updates += is_so
        if not is_so or self._unclear_updates != UNSEEN:
            return
        if is_ahead:
            warn_once(
                "batches ahead",
                "batches: the loop fetches its next batch before it uses one, or left one out, and dtui cannot see "
                "which; until the loader has no more, updates name no samples; call recorder.samples(ids) at each",
            )
        else:
            warn_once(
                "batches copied",
                "batches: the network gets copies of batches where the loop has several, and dtui cannot see of which; "
                "such updates name no samples; call recorder.samples(ids) at each",
            )

    def begin(self, run: Path, held: Sequence[Column] | None) -> Sequence[Column]:
        """Return the columns of a run that begins now: as long as the last update, or as the loader says.

        Args:
            run: Its path.
            held: The columns that a run holds which is gone on with; None for a new one.
        """
        if held is None:
            self._columns = SampleColumns(len(self.last.read()) or self._batch_size or USUAL_SAMPLES)
        else:
            self._columns = SampleColumns.of_run(held)
        if self._columns is None:
            warn_once("batches", f"batches: {run} was begun without samples, and goes on without them")
        return () if self._columns is None else self._columns.listed

    def filling(self, stream: str) -> Callable[[], Mapping[str, NDArray[Any]]]:
        """Return a function for the writer's thread that gives the columns of a frame of the last update."""
        return dict if self._columns is None else self._columns.filling(self.last, stream)

    def drop(self) -> None:
        """Forget what was used for an update that a GradScaler skipped."""
        self._forget_used()

    def _leave_open(self, handed: list[Handed]) -> None:
        """Go on with these passes; what others handed out is known for as long as the training keeps it."""
        for left in self._open:
            if left not in handed:
                self._kept.add(left.waiting)
        self._open = handed

    def _forget_used(self) -> None:
        self._used, self._now = [], SinceUpdate()
        self._left.forget()

    def remove(self) -> None:
        """Watch no longer."""
        leave(self)
        for handle in self._handles:
            handle.remove()
        self._handles, self._open = [], []

    # --- which data set counts

    def _is_followed(self, one: Pass) -> bool:
        """Whether a pass is over the data set whose positions count: the first that was trained on."""
        if self._place is not None:
            return True
        followed = None if self._dataset is None else self._dataset()
        if followed is None:
            self._dataset = one.dataset
        elif followed is not one.dataset():
            warn_once(
                "batches mixed",
                "batches: the training uses several data sets, and a position in one is another sample in the next; "
                f"those in the first, {type(followed).__name__}, are kept; batches=LOADER chooses another",
            )
            return False
        return True

    def _tell_unseen(self) -> None:
        if self._unknown:
            what = f"the samples of the training loader have no ids: {self._unknown}"
            remedy = 'say where a batch has them, as in batches="id"'
        else:
            what = f"{UNSEEN} updates, and no DataLoader has handed out a batch that they used"
            remedy = "make the recorder before the loop over the loader begins"
        warn_once("batches", f"batches: {what}; {remedy}, or call recorder.samples(ids) at each batch")
