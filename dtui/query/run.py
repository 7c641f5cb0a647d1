"""Lists the questions that front ends ask. The other modules of this package compute the answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self

from dtui.model import AnomalySettings
from dtui.model.statistics import Rows, by_name
from dtui.on_use import on_use
from dtui.query.compare.questions import CompareQuestions
from dtui.query.data import RunData
from dtui.query.layers.questions import LayerQuestions

if TYPE_CHECKING:
    from dtui.model import (
        Anomaly,
        Curves,
        ImageSet,
        IntArray,
        Missing,
        RunInfo,
        RunMetadata,
        RunState,
        Stage,
        Structure,
        TimeAxis,
        Verdict,
    )
    from dtui.model.findings.advice import ThresholdAdvice
    from dtui.query import anomalies, class_table, curves, detecting, findings
    from dtui.query.incidents import state, verdict
    from dtui.query.kept import pictures
    from dtui.query.labels import kept_answers
    from dtui.query.watching.progress import Progress
    from dtui.store import RunReader
else:  # a front end asks a few of the questions, and waits only for what answers these
    anomalies, class_table, curves, detecting, findings = on_use(
        "dtui.query", "anomalies", "class_table", "curves", "detecting", "findings"
    )
    state, verdict = on_use("dtui.query.incidents", "state", "verdict")
    (pictures,) = on_use("dtui.query.kept", "pictures")
    (kept_answers,) = on_use("dtui.query.labels", "kept_answers")


def open_run(path: str | Path) -> RunQuery:
    """Open a run for reading.

    Raises:
        RunNotFoundError: Nothing at `path` (or at `path` + ".dtui") is a run.
        RunFormatError: It was written by a newer dtui.
        RunDamagedError: It cannot be read at all.
    """
    return RunQuery(Path(path))


def _open_reader(path: Path) -> RunReader:
    from dtui.store import RunReader

    return RunReader(path)


class RunQuery(LayerQuestions, CompareQuestions):
    """Answers questions about a run, live or ended. Not thread-safe: one thread owns it."""

    def __init__(self, path: Path, reader: RunReader | None = None) -> None:
        """Open the run at `path`, or answer from a reader that is already open."""
        self._reader = reader if reader is not None else _open_reader(path)
        super().__init__(RunData(self._reader))

    def __enter__(self) -> Self:
        """Return itself; `close` is called at the end of the block."""
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the files of the run."""
        self._reader.close()

    def refresh(self) -> bool:
        """Look for newly recorded data; return True if anything that a view shows has changed."""
        return self._data.refresh()

    def tidy(self) -> None:
        """Free what takes much room, was only needed for the last answers, and can be read again."""
        self._data.tidy()

    def free(self) -> None:
        """Free what was only needed for the last answers: for callers whose next questions are about other things.

        What else was found is still known. Numbers that are asked for again are read again.
        """
        self._data.free()

    def settle(self) -> None:
        """Wait some seconds to find out whether another host still records; for callers that ask only once."""
        self._reader.settle()

    def keeping_labels(self) -> AbstractContextManager[None]:
        """Read the labels once and keep them within the block: for callers that ask for most, such as a report.

        More than 48 MB of wrong labels are not kept; they are then read whenever they are asked for. Of a large run
        that has ended, the answers are kept in its cache when the block ends; with them, the next block reads few.
        """
        return kept_answers.keeping_labels(self._data)

    def keeping_pictures(self) -> AbstractContextManager[None]:
        """Keep what is asked for within the block: for callers that always ask for the same, such as a report.

        Of a large run that has ended, what pictures show is kept in its cache when the block ends; within the next
        one it is not read again.
        """
        return pictures.keeping_pictures(self._data)

    def keeping_first_screen(self) -> AbstractContextManager[Callable[[], None]]:
        """Note what is asked for within the block: for a terminal, which asks the same whenever it opens the run.

        As `keeping_pictures`, of every run that has ended, in a table of its own, which is small. It is written when
        what the block gives is called: once there is time.
        """
        return pictures.keeping_first_screen(self._data)

    # --- the run
    def quiet_seconds(self, now: float) -> float:
        """Return for how long a live run has recorded nothing new; 0 where that is not much longer than usual.

        Args:
            now: Seconds, of any clock that only rises, and always of the same.
        """
        return self._progress.quiet(now)

    @cached_property
    def _progress(self) -> Progress:
        from dtui.query.watching.progress import Progress

        return Progress(self._reader)

    @property
    def path(self) -> Path:
        """Where the run is."""
        return self._reader.path

    def info(self) -> RunInfo:
        """Return one line about the run."""
        return findings.run_info(self._data, self.detector_faults())

    def faults(self) -> tuple[str, ...]:
        """Return one line for each damaged or missing part, as far as the run was read; data from outside."""
        return self._reader.faults

    def anomaly_faults(self) -> tuple[str, ...]:
        """Return those `faults` that may hide anomalies."""
        return self._reader.validation_faults

    def detector_faults(self) -> tuple[str, ...]:
        """Return one line for each detector that failed when it was last asked: its anomalies are missing."""
        return tuple(self._data.detector_faults.values())

    def metadata(self) -> RunMetadata:
        """Return what is known about the run from outside."""
        return self._reader.metadata

    def structure(self) -> Structure:
        """Return the network."""
        return self._data.structure

    def image_set(self) -> ImageSet | None:
        """Return the validation images without thumbnails, None when the run has none."""
        return self._data.images

    def limits(self) -> tuple[float, float]:
        """Return the first iteration and the stop (exclusive) that a TimeAxis of the whole run has.

        The last record stands for the iterations up to the next regular one; a closing record stands only for its own.
        """
        iterations, interval = self._data.iterations, self._data.record_interval
        if not len(iterations):
            return 0.0, interval
        return float(iterations.min()), float(iterations.max()) + (1.0 if self._data.has_closing_record else interval)

    def record_iterations(self) -> IntArray:
        """Return the iterations of the records, shape (n,), ascending."""
        return self._data.records

    def validation_iterations(self) -> IntArray:
        """Return the iterations of the validations, shape (m,), ascending."""
        return self._data.validations

    def recorded(self, rows: Rows) -> tuple[str, ...]:
        """Return the statistics of a kind of rows that this dtui knows and the run holds, in order."""
        there = self._reader.contents.of(rows)
        return tuple(name for name in by_name(rows) if name in there)

    # --- curves
    def curves(self, axis: TimeAxis) -> Curves:
        """Return errors, loss and logged scalars: the mean of a column as series, its range as extremes."""
        return curves.curves(self._data, axis)

    def curves_at(self, iteration: int) -> dict[str, float]:
        """Return each curve's value at the last record or validation at or before `iteration`; NaN where it was NaN."""
        return curves.curves_at(self._data, iteration)

    def stages(self) -> tuple[Stage, ...]:
        """Return the stages of the learning rate; empty when none was logged."""
        return curves.stages(self._data)

    # --- the end
    def state(self, is_brief: bool = False) -> RunState:
        """Return the state at the end of the run: dead filters, layers that do not learn, and more.

        Args:
            is_brief: Whether to leave out since when filters have been moving, which reads the whole run.
        """
        return self._data.remembered(
            ("state", is_brief), lambda: state.state(self._data, self._filter_learning, is_brief)
        )

    def verdict(self) -> Verdict:
        """Return what a reader must know first: whether to look, why, and the facts that come first."""
        return verdict.verdict(self, self._data)

    # --- anomalies
    def anomalies(self, settings: AnomalySettings | None = None) -> tuple[Anomaly, ...]:
        """Return the anomalies with people's decisions on them, by iteration, then by falling score.

        Raises:
            UsageError: The settings make no sense.
        """
        return anomalies.anomalies(self._data, settings)

    def prepare_anomalies(self, settings: AnomalySettings, seconds: float) -> bool:
        """Read what `anomalies` needs for about so long; return whether it needs no more."""
        return class_table.prepare_class_table(self._data, settings, seconds)

    def top_anomalies(self, count: int, settings: AnomalySettings | None = None) -> tuple[Anomaly, ...]:
        """Return the strongest anomalies by falling score, then by iteration; of an ended run in milliseconds.

        Raises:
            UsageError: The settings make no sense, or `count` is below 1.
        """
        return anomalies.top_anomalies(self._data, count, settings)

    def advise(self) -> ThresholdAdvice:
        """Return what each threshold of the class rules would mark in this run, and the one to use.

        Raises:
            NotRecordedError: There are no validations, or too few of them.
        """
        return anomalies.advise(self._data)

    def not_judged(self, settings: AnomalySettings | None = None) -> tuple[Missing, ...]:
        """Return why some detectors cannot judge the run, one sentence each; empty if all can."""
        return detecting.missing(self._data, settings or AnomalySettings())

    def legends(self, found: Sequence[Anomaly]) -> tuple[str, ...]:
        """Return what the detectors of some anomalies look for, a sentence or two each."""
        return detecting.legends(found)

    def decided_by(self, anomaly: str) -> tuple[str, str]:
        """Return who decided last on an anomaly or incident id, and when (ISO 8601); ("", "") for nobody."""
        return self._reader.decision_authors().get(anomaly, ("", ""))

    def decide(self, anomaly: str, status: str, note: str | None = None) -> None:
        """Append a person's decision on an anomaly id; status "new", "flagged" or "dismissed".

        Args:
            anomaly: Its id.
            status: What was decided.
            note: A person's words; None keeps those of the decision before.

        Raises:
            UsageError: An unknown status.
        """
        self.decide_all([(anomaly, status, note)])

    def decide_all(self, decisions: Sequence[tuple[str, str, str | None]]) -> None:
        """Append a person's decisions, each as `decide` takes it, in one write; of a wrong one none is written.

        Raises:
            UsageError: An unknown status.
        """
        anomalies.decide(self._data, decisions)
