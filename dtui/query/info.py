"""Answers `RunQuery.info`: one line about a run."""

from __future__ import annotations

import numpy as np

from dtui.model import RunInfo, RunStatus
from dtui.query import findings
from dtui.query.data import RunData
from dtui.query.layers.trained import layer_states

UNEXPLAINED = "nobody closed it, and nothing records it any more"
"""Why a run crashed that says nothing itself: its process was killed, or its machine went down."""


def run_info(data: RunData, detector_faults: tuple[str, ...]) -> RunInfo:
    """Return one line about the run; `detector_faults` stand behind its other findings."""
    reader, structure = data.reader, data.structure
    iterations, status = data.iterations, reader.status()
    return RunInfo(
        run=reader.metadata.name or reader.path.stem,
        status=status,
        reason=_reason(status, reader.reason),
        format=reader.format_version,
        invented=reader.metadata.invented,
        records=int(np.count_nonzero(~data.is_watch)),
        validations=len(data.validations),
        first_iteration=int(iterations.min()) if len(iterations) else None,
        last_iteration=int(iterations.max()) if len(iterations) else None,
        layers=len(structure.layers),
        filters=structure.filters,
        classes=len(reader.classes),
        images=data.layout.total_images,
        gaps=reader.gaps,
        findings=(*reader.faults, *findings.findings(data), *detector_faults),
        joins=reader.seams,
        watches=int(np.count_nonzero(data.is_watch)),
        coverage=structure.coverage,
        norms=len(structure.norms),
        trainable=None if structure.trained is None else structure.trained.parameters,
        states=layer_states(data),
    )


def _reason(status: RunStatus, reason: str) -> str:
    """Return why a run crashed or is incomplete, "" for any other."""
    if status is RunStatus.CRASHED:
        return reason or UNEXPLAINED
    return reason if status is RunStatus.INCOMPLETE else ""
