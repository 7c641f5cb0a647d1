"""The questions of `RunQuery` about what happened in a run."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

from dtui.model import Missing
from dtui.model.findings.batches import COLUMNS
from dtui.on_use import on_use
from dtui.query.relations.questions import RelationQuestions

if TYPE_CHECKING:
    from dtui.model import Check, Incident, relations
    from dtui.model.cube import Cube, CubeRequest, GridCell, IncidentGrid
    from dtui.model.findings.batches import BatchAnswer
    from dtui.model.findings.incident_evidence import IncidentEvidence, TurnedWrong
    from dtui.model.relations import Event, FilterChoice
    from dtui.query import anomalies
    from dtui.query.incidents import origin
    from dtui.query.incidents.batches import Batches
    from dtui.query.incidents.sliced import SlicedIncidents
    from dtui.query.kept import incidents as kept
    from dtui.query.relations import cube
else:
    (relations,) = on_use("dtui.model", "relations")
    (anomalies,) = on_use("dtui.query", "anomalies")
    (origin,) = on_use("dtui.query.incidents", "origin")
    (kept,) = on_use("dtui.query.kept", "incidents")
    (cube,) = on_use("dtui.query.relations", "cube")

MOST_JUDGED = 1_000_000
"""Records, or validations, in which incidents are looked for: at 1 to 6 ms each more of them take hours."""


class IncidentQuestions(RelationQuestions):
    """The part of `RunQuery` that answers questions about incidents."""

    @cached_property
    def _incidents(self) -> SlicedIncidents:
        from dtui.query.incidents.sliced import SlicedIncidents  # the detectors; a viewer that opens a run needs none

        return SlicedIncidents(self._data)

    @property
    def _is_too_long(self) -> bool:
        """Whether a look at every record would take hours."""
        return max(len(self._data.records), len(self._data.validations)) > MOST_JUDGED

    def incidents(self) -> tuple[Incident, ...]:
        """Return the incidents, one for each cause, with people's decisions, by iteration; none in a longer run."""
        if self._is_too_long:
            return ()
        return anomalies.decided_incidents(self._data, self._found())

    def _found(self) -> tuple[Incident, ...]:
        """Return the incidents without decisions: they are grouped once until the run changes, or ends."""
        return self._data.remembered(self._asked, self._with_origins)

    @property
    def _asked(self) -> Hashable:
        return "incidents", self._data.reader.status()

    def _with_origins(self) -> tuple[Incident, ...]:
        found = kept.incidents(self._data, self._detected)
        return origin.with_origins(found, self._data)

    def _detected(self) -> tuple[Incident, ...]:
        from dtui.query.incidents.rates import with_rates

        return with_rates(self._incidents.incidents(), self._data)

    def prepare_incidents(self, seconds: float) -> bool:
        """Look for incidents for about so long; return whether `incidents` would now answer at once."""
        is_known = self._data.knows(self._asked) or kept.are_incidents_kept(self._data)
        return self._is_too_long or is_known or self._incidents.go_on(seconds)

    def incidents_not_judged(self) -> tuple[Missing, ...]:
        """Return which missing data may hide incidents, one sentence each; empty if everything was recorded."""
        if self._is_too_long:
            many = f"{len(self._data.records):,} records and {len(self._data.validations):,} validations"
            return (Missing(f"{many} are too many: incidents are looked for in at most {MOST_JUDGED:,}"),)
        return kept.not_judged(self._data, self._lacking)

    def _lacking(self) -> tuple[Missing, ...]:
        from dtui.query.incidents.checks import in_plain_words

        return tuple(in_plain_words(self._data, one) for one in self._incidents.lacking())

    def incident_checks(self) -> tuple[str, ...]:
        """Return what those detectors looked for that could judge the run, such as "jumps of filters"."""
        return tuple(one.title for one in self.all_checks() if not one.lacks)

    def incidents_unchecked(self) -> tuple[str, ...]:
        """Return what could not be looked for, and no other check covers; with `incident_checks` these are all."""
        from dtui.query.incidents.checks import unchecked

        return unchecked(self._data)

    def incident_evidence(self, incidents: Sequence[Incident]) -> tuple[IncidentEvidence, ...]:
        """Return what shows each incident, in the same order: the telling series around it, what its class became.

        What was not recorded is left out.
        """
        batches = self.incident_batches(incidents)
        found = (kept.evidence_of(self._data, one) for one in incidents)
        return tuple(replace(one, batch=batch) for one, batch in zip(found, batches, strict=True))

    def turned_wrong(self, incident: Incident) -> TurnedWrong | None:
        """Return which images turned wrong around an incident, of all classes together, against what is usual.

        A few validations are read, however long the run is. None where no validation stands on both sides of its begin.
        """
        from dtui.query.incidents.turned import turned_wrong

        key = ("turned wrong", incident.id, incident.first, incident.last)
        return self._data.remembered(key, lambda: turned_wrong(self._data, incident))

    # --- the batch behind it
    def batch(self, iteration: int) -> BatchAnswer:
        """Return the samples of an iteration's batch, or of the nearest kept one before it, and who stands out.

        Raises:
            NotRecordedError: The run keeps no samples, or not yet.
            UsageError: There is no such iteration, or no batch was kept at or before it.
        """
        return self._batches().at(iteration)

    def incident_batches(self, incidents: Sequence[Incident]) -> tuple[BatchAnswer | None, ...]:
        """Return the batch before each incident, in the same order; None where none was kept."""
        if not self._has_batches:
            return (None,) * len(incidents)
        batches = self._batches()
        return tuple(batches.near(incident) for incident in incidents)

    @property
    def _has_batches(self) -> bool:
        return bool({column.name for column in self._data.reader.columns} & {ids for ids, _ in COLUMNS})

    def _batches(self) -> Batches:
        from dtui.query.incidents.batches import Batches

        return Batches(self._data, self.incidents() if self._has_batches and not self._data.triggers else ())

    def all_checks(self) -> tuple[Check, ...]:
        """Return everything that is looked for, with why this run could not be judged by it where it could not."""
        from dtui.query.incidents.checks import all_checks

        return all_checks(self._data)

    def incident_events(self) -> tuple[Event, ...]:
        """Return the incidents as events for a correlation, without those that a person dismissed.

        An incident of several classes becomes one event per class; an incident without a class becomes one event
        without a class.
        """
        left = [one for one in self.incidents() if one.status != "dismissed"]
        return tuple(relations.Event(label, one.first, one.id) for one in left for label in one.classes or (None,))

    # --- incidents, classes and layers together
    def incident_grid(self, choice: FilterChoice | None = None, order: str = "class") -> IncidentGrid:
        """Return classes with incidents × layers: which filters changed most at the incidents.

        An incident of the whole network is in the row of all classes, and one that moved no class in the row of no
        class; dismissed incidents are left out.

        Args:
            choice: Which filters count.
            order: Order of the classes: "class", "time" (of their first incident) or "count" (most filters first).

        Raises:
            NotRecordedError: The run does not hold the statistic.
            UsageError: The choice makes no sense, or an unknown order.
        """
        found, chosen = self.incidents(), choice or relations.FilterChoice()
        key = ("grid", chosen, order, *(one.id for one in found if one.status != "dismissed"))
        return self._data.remembered(
            key,
            lambda: cube.incident_grid(self._data, found, lambda events: self.correlation(events, chosen), order),
        )

    def grid_cell(self, grid: IncidentGrid, row: int, layer: int) -> GridCell:
        """Return a cell of the grid in detail: its incidents and filters, and how unusual their changes were.

        Raises:
            UsageError: There is no such row or layer.
        """
        return cube.grid_cell(self._data, grid, row, layer)

    def cube(self, request: CubeRequest, choice: FilterChoice | None = None) -> Cube:
        """Return classes × time, layers × time, and classes × layers.

        Raises:
            NotRecordedError: The run does not hold the statistic.
            UsageError: An unknown statistic, source or order, or a number of rows or columns below 1.
        """
        return cube.cube(self._data, self.incident_grid(choice, request.order), request)
