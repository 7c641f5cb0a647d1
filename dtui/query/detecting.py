"""Runs the detectors: what each finds, and which data it lacks. If one fails, this is reported and the others go on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import partial

from dtui.analysis.detectors.registry import Detector, RunValues, detectors
from dtui.errors import DtuiError
from dtui.model import Anomaly, AnomalySettings, Evidence, Missing
from dtui.model.findings.evidence import Showing
from dtui.number_text import with_plain_numbers
from dtui.query.class_table import class_table
from dtui.query.data import RunData


def found_by_all(data: RunData, settings: AnomalySettings, most: int | None = None) -> list[Anomaly]:
    """Return what all detectors find; see `found_by`."""
    return [anomaly for detector in detectors() for anomaly in found_by(data, detector, settings, most)]


def found_by(data: RunData, detector: Detector, settings: AnomalySettings, most: int | None = None) -> list[Anomaly]:
    """Return what a detector finds, without decisions. If it fails: nothing, and a line in `data.detector_faults`.

    Args:
        data: The run.
        detector: One of `detectors()`.
        settings: Checked.
        most: Limit to this many of the strongest; more may be returned.
    """
    try:
        found = [
            Anomaly(detector.identify(evidence), detector.kind or detector.name, evidence, _shown(detector, evidence))
            for evidence in detector.find(_values(data, settings, most))
        ]
    except (DtuiError, OSError, MemoryError):
        raise  # of the run or the machine, and not of the detector
    except Exception as error:  # noqa: BLE001 - whatever one detector does, the others are heard
        data.detector_faults[detector.name] = _told(detector, error)
        return []
    data.detector_faults.pop(detector.name, None)
    return found


def missing(data: RunData, settings: AnomalySettings) -> tuple[Missing, ...]:
    """Return the data that detectors need and the run does not have."""
    values, lacking = _values(data, settings), []
    for detector in detectors():
        try:
            lacks = detector.missing(values)
        except (DtuiError, OSError, MemoryError):
            raise
        except Exception as error:  # noqa: BLE001 - as above
            data.detector_faults[detector.name] = _told(detector, error)
            continue
        lacking += [] if lacks is None else [lacks]
    return tuple(lacking)


def legends(found: Iterable[Anomaly]) -> tuple[str, ...]:
    """Return what the detectors of some anomalies look for, one or two sentences each."""
    spoke = {anomaly.evidence.detector for anomaly in found}
    return tuple(detector.legend for detector in detectors() if detector.name in spoke)


def _values(data: RunData, settings: AnomalySettings, most: int | None = None) -> RunValues:
    return RunValues(data, settings, partial(class_table, data, settings, most), most)


def _shown(detector: Detector, evidence: Evidence) -> Showing:
    """Return how a detector shows its evidence, with numbers as all of dtui writes them."""
    shown = detector.describe(evidence)
    detail = with_plain_numbers(shown.detail)
    return shown if detail == shown.detail else replace(shown, detail=detail)


def _told(detector: Detector, error: Exception) -> str:
    why = " ".join(str(error).split())
    return f"detector {detector.name} failed and found nothing: {type(error).__name__}{': ' if why else ''}{why}"
