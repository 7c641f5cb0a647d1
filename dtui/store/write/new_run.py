"""Begins a run: creates its folder, and the files that must exist before the first frame."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Sequence

from dtui.model import RunMetadata, Structure
from dtui.store.disk.atomic_files import sync_folder
from dtui.store.disk.run_folder import Place
from dtui.store.format.contents import Contents
from dtui.store.format.documents import run_document
from dtui.store.format.schema import DOCUMENT_NODE, JOURNAL_FOLDER, PARTS_FOLDER, STRUCTURE_FILE
from dtui.store.run.ownership import Ownership
from dtui.store.run.run_file import Process, RunFile, touch_heartbeat
from dtui.store.write.claim import Claim
from dtui.store.write.resume import is_ours


def begin_run(
    claim: Claim, structure: Structure, metadata: RunMetadata, classes: Sequence[str], held: Contents
) -> tuple[Place, Ownership]:
    """Create the files of a run before its first frame, at a path that this process has claimed.

    Args:
        claim: The claim of its path. It is complete afterwards, or given up if anything fails.
        structure: The network.
        metadata: What is known before the first record.
        classes: Names in label order.
        held: What the run holds.

    Returns:
        The folder, and the right to record.

    Raises:
        RunExistsError: The path exists already.
        OSError: It cannot be created; nothing is left behind.
    """
    from dtui.store.disk.sealed_builder import write_small_file

    path = claim.path
    run_file = RunFile(held.format, uuid.uuid4().hex, Process.this())
    claim.begin()
    try:
        for folder in (JOURNAL_FOLDER, PARTS_FOLDER):
            (path / folder).mkdir()
        document = run_document(run_file.run, structure, metadata, classes, held)
        write_small_file(path / STRUCTURE_FILE, {DOCUMENT_NODE: document})
        touch_heartbeat(path)
        run_file.write(path)
        for new in claim.made:
            with contextlib.suppress(OSError):  # a folder that we may write to, and not read
                sync_folder(new.parent)
        place = Place(path, lambda folder: is_ours(folder, run_file.run))
    except BaseException:
        claim.undo()
        raise
    claim.complete()
    return place, Ownership(place, run_file)
