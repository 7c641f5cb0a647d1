"""Says in one line what was recorded of a command, and what to add to the script where something was not."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from dtui.errors import DtuiError
from dtui.launch_notes import FROZEN, LEFT_ALONE, OPTIMIZER, PYTHON, TORCH, Notes, Settings, shown_path
from dtui.number_text import counted

_MOST_SHOWN = 5
_UNWRITTEN = "no validation is in it: none was found, or the process went before it was written"


def summary(command: Sequence[str], settings: Settings) -> str:
    """Return the line for a command that has ended.

    Args:
        command: Its words.
        settings: What its processes were asked for; they left their notes in the folder named there.
    """
    notes = Notes(settings.folder)
    if notes.are_gone:
        return f"run: what was recorded is not known, for {settings.folder} was removed meanwhile; see {settings.shown}"
    left = notes.read()
    recorded = list(dict.fromkeys(note.recorded for note in left if note.recorded))
    problems = list(dict.fromkeys(note.problem for note in left if note.problem))
    if recorded:
        return _what(recorded, problems, settings)
    if problems and all(problem.endswith(LEFT_ALONE) for problem in problems):
        return f"run: {problems[0]}"
    return f"run: nothing is recorded: {_why_not(Path(command[0]).name, notes, problems, settings)}"


def _why_not(name: str, notes: Notes, problems: Sequence[str], settings: Settings) -> str:
    add = f"to record it, add to the script {_line(settings)}"
    if problems:
        return f"{'; '.join(problems)}; {add}"
    if not notes.has(PYTHON):
        return f"{name} started no Python that reads PYTHONPATH (python -I and -E do not); {add}"
    if not notes.has(TORCH):
        return f"{name} imported no torch"
    if not notes.has(OPTIMIZER):
        line = f"{_line(settings, 'model')} and recorder.step() after each update"
        return f"{name} made no optimizer of torch.optim; to record updates of its own, add to the script {line}"
    return f"{name} made an optimizer, but no update"


def _line(settings: Settings, arguments: str = "model, optimizer") -> str:
    return f"recorder = dtui.Recorder({settings.shown!r}, {arguments})"


def _what(recorded: Sequence[str], problems: Sequence[str], settings: Settings) -> str:
    held = [_held(path) for path in recorded]
    said = []
    for path, (records, validations, _) in list(zip(recorded, held, strict=True))[:_MOST_SHOWN]:
        counts = [counted(records, "record")] + ([counted(validations, "validation")] if validations else [])
        said.append(f"{shown_path(settings, path)}: {', '.join(counts)}")
    if len(recorded) > _MOST_SHOWN:
        said.append(f"{len(recorded) - _MOST_SHOWN} more")
    if not any(validations for _, validations, _ in held):
        is_ended = all(is_ended for *_, is_ended in held)
        said.append(_without_validation(settings, has_frozen=Notes(settings.folder).has(FROZEN), is_ended=is_ended))
    return "; ".join([*said, *problems])


def _without_validation(settings: Settings, *, has_frozen: bool, is_ended: bool) -> str:
    """Say how to record validations; what TorchScript has frozen has no weights, by which it would be known.

    Where a process went before it ended its run, as by `os._exit`, one may have been found and not written.
    """
    add = f"to record one, add to the script {_line(settings)} and around the evaluation "
    if has_frozen:
        return f"no validation was found, only of a frozen script; {add}with recorder.validation(loader, model=frozen):"
    missing = "no validation was found" if is_ended else _UNWRITTEN
    return (
        f"{missing}; {add}with recorder.validation(loader):, in it without a loader "
        "recorder.predictions(logits, labels, ids), and for what is no classifier recorder.judge(ids, scores)"
    )


def _held(path: str) -> tuple[int, int, bool]:
    """Return how many records and validations a run holds, and whether it was ended; none where it cannot be read."""
    from dtui.model import RunStatus
    from dtui.query import open_run

    with suppress(DtuiError, OSError), open_run(Path(path)) as query:
        info = query.info()
        return info.records, info.validations, info.status is RunStatus.DONE
    return 0, 0, True
