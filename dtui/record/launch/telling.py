"""Tells that a run is recorded: a line for the person, a note for `dtui run`."""

from __future__ import annotations

from dtui.launch_notes import Note, Notes, Settings, shown_path
from dtui.record.recorder import Recorder
from dtui.record.writing.warn import tell
from dtui.safe_text import safe


def tell_begun(notes: Notes, settings: Settings, recorder: Recorder) -> None:
    """Tell where a run is recorded, how often, and how to open it while it grows; note that no line gives arguments."""
    path = str(recorder.path)
    recorder._outputs.is_launched = True
    notes.leave(Note(recorded=path))
    shown = safe(shown_path(settings, path), 400)
    often = "at every iteration" if recorder.every == 1 else f"every {recorder.every} iterations"
    tell(f"dtui: {shown} is recorded, {often}; dtui {shown} opens it")
