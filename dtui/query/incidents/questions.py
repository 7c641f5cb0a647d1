"""The questions about what happened in a run, beside those about what belongs together."""

from __future__ import annotations

from dtui.model import Incident, Missing
from dtui.model.relations import Event
from dtui.query.anomalies import decided_incidents
from dtui.query.data import RunData
from dtui.query.incidents.walk import Incidents
from dtui.query.relations.questions import RelationQuestions


class IncidentQuestions(RelationQuestions):
    """What `RunQuery` answers about incidents."""

    def __init__(self, data: RunData) -> None:
        """Take over the numbers of a run; nothing is read before it is asked for."""
        super().__init__(data)
        self._incidents = Incidents(data)

    def incidents(self) -> tuple[Incident, ...]:
        """Return what happened, one entry for one cause, with people's decisions, by iteration."""
        return decided_incidents(self._data, self._incidents.incidents())

    def incidents_not_judged(self) -> tuple[Missing, ...]:
        """Return what the incidents could not be told from, one sentence each; empty where all was recorded."""
        return self._incidents.lacking()

    def incident_checks(self) -> tuple[str, ...]:
        """Return what the detectors looked for that could judge the run, such as "jumps of filters"."""
        return self._incidents.checks()

    def incident_events(self) -> tuple[Event, ...]:
        """Return the incidents as columns of a correlation, those that a person dismissed aside.

        One of several classes is an event of each, one of none is an event of no class.
        """
        left = [one for one in self.incidents() if one.status != "dismissed"]
        return tuple(Event(label, one.first, one.id) for one in left for label in one.classes or (None,))
