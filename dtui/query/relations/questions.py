"""The questions of `RunQuery` on the relations between filters, classes, images and iterations."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from dtui.on_use import on_use
from dtui.query.relations.validation_questions import ValidationQuestions

if TYPE_CHECKING:
    from dtui.model import AnomalySettings, TimeAxis, relations
    from dtui.model.cube import CellCourses
    from dtui.model.learning import Confusion, ConfusionChange, ConfusionTimes, ImageList, StageDensity
    from dtui.model.relations import CommonFilters, Correlation, Event, EventFilters, FilterChoice
    from dtui.query import anomalies
    from dtui.query.labels import kept_learning
    from dtui.query.relations import anomaly_filters, cell_courses, confusion, correlation, learning
    from dtui.query.relations.anomaly_filters import FilterChanges
else:
    (relations,) = on_use("dtui.model", "relations")
    (anomalies,) = on_use("dtui.query", "anomalies")
    (kept_learning,) = on_use("dtui.query.labels", "kept_learning")
    anomaly_filters, cell_courses, confusion, correlation, learning = on_use(
        "dtui.query.relations", "anomaly_filters", "cell_courses", "confusion", "correlation", "learning"
    )


class RelationQuestions(ValidationQuestions):
    """The part of `RunQuery` that answers questions about relations."""

    @cached_property
    def _changes(self) -> FilterChanges:
        return anomaly_filters.FilterChanges(self._data)

    # --- filters
    def cell_courses(
        self, label: int | None, layer: int, filters: Sequence[int], statistic: str, axis: TimeAxis
    ) -> CellCourses:
        """Return the error of a class (None: of all images) over time, and a statistic of some filters of a layer.

        Raises:
            NotRecordedError: The run does not hold the statistic.
            UsageError: An unknown class, layer or filter.
        """
        return cell_courses.cell_courses(self._data, label, layer, filters, statistic, axis)

    def class_events(self, settings: AnomalySettings | None = None) -> tuple[Event, ...]:
        """Return the anomalies of classes as events, without those that a person dismissed, by class and iteration.

        Raises:
            UsageError: The settings make no sense.
        """
        return correlation.class_events(anomalies.anomalies(self._data, settings))

    def anomaly_filters(self, events: Sequence[Event], choice: FilterChoice | None = None) -> tuple[EventFilters, ...]:
        """Return the filters that changed most at each event, in the order of the events.

        The changes are those at the record or watch of the event's iteration, or else at the last record before it.

        Raises:
            NotRecordedError: The run does not hold the statistic.
            UsageError: The choice makes no sense.
        """
        return self._changes.at_events(events, choice or relations.FilterChoice())

    def most_changed(self, iterations: Sequence[int], choice: FilterChoice | None = None) -> CommonFilters:
        """Return the filters that changed most at all of some iterations.

        Raises:
            NotRecordedError: The run does not hold the statistic.
            UsageError: The choice makes no sense, there is no iteration or too many, or no record is at or close
                before one of them.
        """
        return self._changes.at_all(iterations, choice or relations.FilterChoice())

    def correlation(
        self, events: Sequence[Event], choice: FilterChoice | None = None, least_importance: int = 1
    ) -> Correlation:
        """Return layers × classes, and the mini-sets of the anomaly filters.

        Args:
            events: Events from any source; events without a class make a column of their own.
            choice: Which filters count.
            least_importance: Of the mini-sets that are returned: occurrences × size, >= 1.

        Raises:
            NotRecordedError: The run does not hold the statistic.
            UsageError: The choice makes no sense, or an event is about an unknown class.
        """
        return correlation.correlate(
            self._data, self._changes, events, choice or relations.FilterChoice(), least_importance
        )

    def events_of_filter(
        self, layer: int, filter: int, events: Sequence[Event], choice: FilterChoice | None = None
    ) -> tuple[Event, ...]:
        """Return the events at which a filter is among those that changed most, by class and iteration.

        Raises:
            NotRecordedError: The run does not hold the statistic.
            UsageError: The choice makes no sense, or there is no such filter.
        """
        return correlation.events_of_filter(
            self._data, self._changes, layer, filter, events, choice or relations.FilterChoice()
        )

    # --- images
    def image_list(self, name: str, label: int | None = None, top: int | None = None) -> ImageList:
        """Return a list of images; empty where there are no validations.

        Args:
            name: "always-wrong", "hard", "easy", "never-learned" or "forgotten".
            label: Only images of this class, None for all.
            top: Only the first of them, None for all.

        Raises:
            UsageError: There is no such list or class, or `top` is below 1.
        """
        return learning.image_list(self._data, name, label, top)

    # --- confusion
    def confusion(self, iteration: int, window: int = 1) -> Confusion:
        """Return the wrong labels of classes at the last validation up to an iteration, and the confusions that grew.

        Args:
            iteration: Of the run.
            window: Number of validations before that one, and from that one on, whose means are compared to measure
                growth, >= 1.

        Raises:
            UsageError: No validation is at or before the iteration, the run has ended by then, or the window is out of
                range.
        """
        return confusion.confusion(self._data, iteration, window)

    def grown_confusions(
        self, iterations: Sequence[int], window: int = 1, top: int = 20
    ) -> tuple[tuple[ConfusionChange, ...], ...]:
        """Return the confusions that grew most at each of some iterations, as `confusion` tells them.

        Args:
            iterations: Of the run.
            window: Number of validations before, and from each on, that are compared, >= 1.
            top: Only the first so many of each, >= 1.

        Raises:
            UsageError: As `confusion`, or `top` is below 1.
        """
        return confusion.grown_confusions(self._data, tuple(iterations), window, top)

    def confusion_times(self, label: int) -> ConfusionTimes:
        """Return the wrong labels of a class over the run.

        Raises:
            UsageError: There is no such class.
        """
        return confusion.confusion_times(self._data, label)

    # --- stages
    def anomaly_density(self, settings: AnomalySettings | None = None) -> tuple[StageDensity, ...]:
        """Return how dense anomalies of classes are in each stage of the learning rate; empty when none was logged.

        A class and iteration counts once, whichever rules mark it; what a person dismissed does not count.

        Raises:
            UsageError: The settings make no sense.
        """
        return learning.anomaly_density(self._data, settings)
