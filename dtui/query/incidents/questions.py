"""The questions of `RunQuery` about what happened in a run."""

from __future__ import annotations

from dtui.model import Incident, Missing
from dtui.model.relations import Event
from dtui.query.anomalies import decided_incidents
from dtui.query.data import RunData
from dtui.query.incidents.walk import Incidents
from dtui.query.relations.questions import RelationQuestions


class IncidentQuestions(RelationQuestions):
    """The part of `RunQuery` that answers questions about incidents."""

    def __init__(self, data: RunData) -> None:
        """Take over the numbers of a run; nothing is read before the first question."""
        super().__init__(data)
        self._incidents = Incidents(data)

    def incidents(self) -> tuple[Incident, ...]:
        """Return the incidents, one for each cause, with people's decisions, by iteration."""
        return decided_incidents(self._data, self._incidents.incidents())

    def incidents_not_judged(self) -> tuple[Missing, ...]:
        """Return which missing data may hide incidents, one sentence each; empty if everything was recorded."""
        return self._incidents.lacking()

    def incident_checks(self) -> tuple[str, ...]:
        """Return what those detectors looked for that could judge the run, such as "jumps of filters"."""
        return self._incidents.checks()

    def incident_events(self) -> tuple[Event, ...]:
        """Return the incidents as events for a correlation, without those that a person dismissed.

        An incident of several classes becomes one event per class; an incident without a class becomes one event
        without a class.
        """
        left = [one for one in self.incidents() if one.status != "dismissed"]
        return tuple(Event(label, one.first, one.id) for one in left for label in one.classes or (None,))
