"""The runs of one callback: a trainer may train several times, and each training is recorded.

Owns where a training is recorded that is not the callback's first: a second `fit` or `train`, a trial of a search.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import nn

from dtui.record.recorder import Recorder
from dtui.record.start.arguments import NUMBER


class Trainings:
    """Makes a recorder for each training of a trainer.

    - A training that begins anew is a run of its own: NAME, NAME-2, NAME-3.
    - One that goes on where the one before ended (`max_epochs` raised, a checkpoint of its end) goes on with its run.
    - One that goes back to an earlier checkpoint supersedes what came after it where `resume=True` asks for that; else
      it is a run of its own, which begins at that iteration.
    """

    def __init__(self, path: str | Path, **arguments: Any) -> None:
        """Begin without a training; `arguments` are those of the Recorder."""
        self._path = Path(path)
        self._arguments = arguments

    @property
    def is_resumed(self) -> bool:
        """Whether the user asked to go on with a run that is there."""
        return bool(self._arguments.get("resume") or self._arguments.get("on_existing") == "resume")

    def begin(
        self, last: Recorder | None, model: nn.Module, optimizer: Any, updates: int | None, **further: Any
    ) -> Recorder:
        """Return the recorder of a training that begins.

        Args:
            last: That of the training before; one that nobody has closed is ended.
            model: What is trained.
            optimizer: What trains it: one, several, or None.
            updates: Done before, as the trainer counts them; None where it does not tell.
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
        """Return where a training is recorded that is not the first; what was asked of the first is taken out."""
        for name in ("resume", "on_existing", "iteration"):
            arguments.pop(name, None)
        if updates and (updates == last.iteration + 1 or self.is_resumed):
            return {"path": last.path, "resume": True, "iteration": updates}
        return {"path": self._path, "on_existing": NUMBER, **({"iteration": updates} if updates else {})}
