"""Finds where a recorder begins: at a new run, or at a checkpoint of an existing run.

Owns the rule for whether a training may continue a run.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING

from torch import Tensor
from torch.optim import Optimizer

from dtui.errors import DtuiError, RecorderError, RunExistsError
from dtui.model import Column, Layer, RunMetadata, Structure
from dtui.model.judging import WORST_TENTH, logged_name
from dtui.record.network.layers import LayerProbe, known_before
from dtui.record.start.arguments import REFUSE, REPLACE, RESUME, check_path, run_folder
from dtui.record.training.distributed import Exchange, untold_ranks
from dtui.record.writing.warn import warn_once
from dtui.record.writing.writer_thread import Elsewhere, Store

if TYPE_CHECKING:
    from dtui.store import PastRun, RunWriter
    from dtui.store.write.claim import Claim

_OTHER_RUN = "or record into another run"


@dataclass(frozen=True, eq=False, slots=True)
class Start:
    """Where a recorder begins.

    Attributes:
        path: Directory of the run.
        updates: Number of updates done before, >= 0; it is the iteration of the next update.
        past: The run to continue; None for a new run, and in all processes but the first.
        claim: The claim of the path until the run is created or taken over; None in all processes but the first.
    """

    path: Path
    updates: int
    past: PastRun | None = None
    claim: Claim | None = None

    def give_up(self) -> None:
        """Free the path, if nothing has been recorded there."""
        if self.claim is not None:
            self.claim.give_up()

    def is_passed(self, iteration: int) -> bool:
        """Whether a resumed training has reached an iteration, so that older records past it no longer count."""
        return self.past is not None and iteration >= self.updates

    @property
    def has_parameters(self) -> bool:
        """Whether parameters outside the layers have a row each: a run that was begun without goes on without."""
        return self.past is None or bool(self.past.structure.parameters)

    def known_of(self, probes: list[LayerProbe]) -> list[LayerProbe]:
        """Return the layers to record: a run that an older dtui began goes on without those that it did not know."""
        held = None if self.past is None else {layer.name for layer in self.past.structure.layers}
        return probes if held is None else known_before(probes, held)

    @property
    def last_validation(self) -> int | None:
        """Iteration of the last validation that counts, None if there is none."""
        return None if self.past is None else self.past.last_validation_before(self.updates)

    def unrecorded(self, every: int) -> range:
        """Return the iterations that were trained before the first update here and that no record of the run covers.

        Empty where no record was due among them, as in a training that was killed between two records.

        Args:
            every: Iterations from one record to the next.
        """
        if self.past is None:
            return range(0)
        last = self.past.last_record_before(self.updates)
        is_due = 0 <= last // every < (self.updates - 1) // every
        return range(last + 1, self.updates) if is_due else range(0)

    def worst_tenths(self) -> list[float]:
        """Return the worst tenths of the scores at the validations that count, the last one last."""
        images = None if self.past is None else self.past.images
        if self.past is None or images is None or images.judging is None:
            return []
        points = self.past.logged.get(logged_name(images.judging.score, WORST_TENTH))
        if points is None:
            return []
        iterations, values = points
        found: list[float] = values[iterations < self.updates].tolist()
        return found

    def check_network(self, structure: Structure) -> None:
        """Refuse to go on with a run of another network.

        Raises:
            RecorderError: A layer has another name, kind or shape.
        """
        if self.past is None:
            return
        old, new = self.past.structure.layers, structure.layers
        for place, (before, now) in enumerate(zip_longest(old, new)):
            if _described(before) != _described(now):
                raise RecorderError(
                    f"{self.path}: resume: layer {place} of {len(old)} in the run is {_described(before)}, of "
                    f"{len(new)} in this model {_described(now)}; give the model that was recorded, {_OTHER_RUN}"
                )

    def check_classes(self, names: Sequence[str] | None) -> None:
        """Refuse to go on with a run of other classes.

        Raises:
            RecorderError: A name differs, or there are more or fewer.
        """
        old = () if self.past is None else self.past.classes
        if self.past is not None and self.past.images is not None and self.past.images.judging is not None:
            old = old[: self.past.images.judging.other]  # the one behind it has no items
        if not old or names is None:
            return
        if len(old) != len(names):
            counts = f"the run has {len(old)} classes, and {len(names)} are given"
            raise RecorderError(f"{self.path}: resume: {counts}; give the classes of the run, {_OTHER_RUN}")
        for place, (before, now) in enumerate(zip(old, names, strict=True)):
            if before != now:
                raise RecorderError(
                    f"{self.path}: resume: class {place} of {len(old)} in the run is {before!r}, and {now!r} is given; "
                    f"give the classes of the run, {_OTHER_RUN}"
                )

    def create(
        self, metadata: RunMetadata, names: Sequence[str], structure: Structure, columns: Sequence[Column] = ()
    ) -> Store:
        """Create a new run; in all processes but the first, return its substitute."""
        from dtui.store import RunWriter

        if self.claim is None:
            return Elsewhere()  # type: ignore[abstract]  # nothing is what its methods do
        return RunWriter(self.path, structure, metadata, classes=names, claim=self.claim, columns=columns)

    def go_on(self) -> RunWriter | None:
        """Take the run over; None for a new one.

        Raises:
            RunExistsError: Another process records it.
            RecorderError: It cannot be written.
        """
        from dtui.store import RunWriter

        if self.past is None:
            return None
        self.give_up()
        try:
            return RunWriter.resume(self.past, self.updates)
        except OSError as error:
            if isinstance(error, DtuiError):
                raise
            raise RecorderError(f"{self.path}: resume: cannot be written, {error.strerror}; {_OTHER_RUN}") from error


def find_start(
    path: str | Path, optimizer: Optimizer | None, exchange: Exchange, *, on_existing: str, iteration: int | None
) -> Start:
    """Claim the path of a run and return where the recorder begins, which is the same in all processes.

    Args:
        path: Directory of the run.
        optimizer: The optimizer whose updates are counted.
        exchange: The exchange with the other processes.
        on_existing: What to do if the run exists already, one of `arguments.ON_EXISTING`.
        iteration: Updates done before; None asks the optimizer, if a run is continued.

    Raises:
        RecorderError: The count is not valid or not known, or the path cannot be written.
        RunExistsError: The existing run may be neither continued nor replaced, or a living process records it.
        DtuiError: The run cannot be read.
    """
    if iteration is not None and (isinstance(iteration, bool) or not isinstance(iteration, int) or iteration < 0):
        raise RecorderError(f"iteration={iteration!r}: updates that were done before; give an integer of at least 0")
    count = count_updates(optimizer) if iteration is None and on_existing == RESUME else iteration
    if not exchange.is_first:
        told = exchange.ask()
        updates, where = (count or 0, "") if told is None else told
        return Start(Path(where) if where else run_folder(path), updates)
    wanted = check_path(path, on_existing)
    try:
        return _find_past(wanted, count) if on_existing == RESUME else _begin(wanted, on_existing, count or 0)
    except OSError as error:
        if isinstance(error, DtuiError):
            raise
        raise RecorderError(f"{wanted}: cannot be written, {error.strerror}; choose another path") from error


def _begin(wanted: Path, on_existing: str, updates: int) -> Start:
    """Claim the path of a new run."""
    from dtui.store.write.claim import claim_new, claim_numbered, claim_replacement

    if on_existing == REPLACE:
        return Start(wanted, updates, claim=claim_replacement(wanted))
    if on_existing == REFUSE:
        return Start(wanted, updates, claim=claim_new(wanted))
    ranks = untold_ranks()
    try:
        claim = claim_numbered(wanted, among_living=not ranks)
    except RunExistsError as error:
        if not ranks:
            raise
        raise RunExistsError(
            f"{error}; WORLD_SIZE={ranks} and RANK={os.environ['RANK']} are set, but torch.distributed is not "
            "initialised: make the recorder after init_process_group, or give each process a path of its own"
        ) from error
    path = wanted.with_name(claim.path.name)
    if path != wanted:
        warn_once(
            "number", f"{wanted}: a run is already there, so this one is {path}; dtui {path.with_suffix('')} opens it"
        )
    return Start(path, updates, claim=claim)


def _find_past(wanted: Path, count: int | None) -> Start:
    """Claim the run to continue, or a new one if there is none."""
    from dtui.store import find_past
    from dtui.store.write.claim import claim_new, hold_run

    past = find_past(wanted)
    if past is None:
        return Start(wanted, count or 0, claim=claim_new(wanted))
    if count is None:
        raise RecorderError(
            f"{wanted}: resume: the optimizer does not tell how many updates it has done; load its checkpoint first, "
            f"or give iteration=N, the updates done before (the last that is recorded is {past.last_iteration})"
        )
    if count == 0 and past.last_iteration >= 0:
        warn_once(
            "resume",
            f"{wanted}: resume: this training begins at iteration 0, so all that was recorded, up to iteration "
            f"{past.last_iteration}, will be superseded",
        )
    return Start(wanted, count, past, hold_run(past.path))


@contextmanager
def refusals_told(exchange: Exchange, start: Start | None = None) -> Iterator[None]:
    """Tell the other processes where the first begins, or that it refused. Call `start` after all checks."""
    try:
        yield
    except Exception as error:
        exchange.tell(None, str(error))
        raise
    if start is not None:
        exchange.tell(start.updates, path=str(start.path))


def count_updates(optimizer: Optimizer | None) -> int | None:
    """Return the number of updates that an optimizer has done, from its state; None if unknown."""
    if optimizer is None:
        return None
    inner = getattr(optimizer, "optim", None)
    if isinstance(inner, Optimizer):  # ZeRO keeps the states of this process there
        optimizer = inner
    found = [state["step"] for state in optimizer.state.values() if isinstance(state, dict) and "step" in state]
    found += [group["step"] for group in optimizer.param_groups if "step" in group]
    counts = [int(step) for step in found if isinstance(step, int | float | Tensor)]
    return max(counts, default=None)


def _described(layer: Layer | None) -> str:
    if layer is None:
        return "missing"
    return f"{layer.name} ({layer.kind}, {'×'.join(map(str, layer.shape))})"
