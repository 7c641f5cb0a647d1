"""Manages the runs of one callback: a trainer may train several times, and each training is recorded.

Owns the choice of a path for every training after the callback's first: a second `fit` or `train`, a trial of a search.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import nn

from dtui.record.recorder import Recorder
from dtui.record.start.arguments import NUMBER
from dtui.record.training.distributed import rank_here
from dtui.record.writing.warn import tell

STOPS = "the flight recorder saw NaN or Inf, or somebody asked for it"


class Trainings:
    """Makes a recorder for each training of a trainer.

    - A training from the beginning gets its own run: NAME, NAME-2, NAME-3.
    - A training that continues at the end of the last one (higher `max_epochs`, a checkpoint of its end) continues its
      run.
    - A training from an earlier checkpoint supersedes later records if `resume=True`; otherwise it gets its own run,
      which begins at that iteration.
    """

    def __init__(self, path: str | Path, **arguments: Any) -> None:
        """Begin without a training; `arguments` are the Recorder's."""
        self._path = Path(path)
        self._arguments = arguments

    @property
    def is_resumed(self) -> bool:
        """Whether the user asked to resume an existing run."""
        return bool(self._arguments.get("resume") or self._arguments.get("on_existing") == "resume")

    def choose(self, **arguments: Any) -> None:
        """Give arguments that were not known before a training begins."""
        self._arguments |= arguments

    def begin(
        self, last: Recorder | None, model: nn.Module, optimizer: Any, updates: int | None, **further: Any
    ) -> Recorder:
        """Return the recorder for a training that begins.

        Args:
            last: The recorder of the last training; it is closed if it is still open.
            model: The model.
            optimizer: One optimizer, several, or None.
            updates: Number of updates done before, as the trainer counts them; None if unknown.
            further: Arguments that depend on the training.

        Raises:
            DtuiError: As the Recorder does.
        """
        arguments = self._arguments | further
        if last is None:
            if self.is_resumed and updates is not None:
                arguments.setdefault("iteration", updates)
            arguments["path"] = self._path
        else:
            if not last.closed:
                error = RuntimeError("the next training began before this one had ended")
                last.__exit__(RuntimeError, error, None)
            arguments |= self._place(last, arguments, updates)
        return Recorder(model=model, optimizer=optimizer, **arguments)

    def _place(self, last: Recorder, arguments: dict[str, Any], updates: int | None) -> dict[str, Any]:
        """Return the path for a training after the first; arguments for the first training only are removed."""
        for name in ("resume", "on_existing", "iteration"):
            arguments.pop(name, None)
        if updates and (updates == last.iteration + 1 or self.is_resumed):
            return {"path": last.path, "resume": True, "iteration": updates}
        return {"path": self._path, "on_existing": NUMBER, **({"iteration": updates} if updates else {})}


def is_asked_to_stop(recorder: Recorder | None) -> bool:
    """Whether a trainer should end its training now: `Recorder.should_stop`, and a line that says why it ends."""
    if recorder is None or recorder.closed or not recorder.should_stop:
        return False
    if rank_here() == 0:
        tell(f"dtui: the training ends after iteration {recorder.iteration}: {STOPS}")
    return True
