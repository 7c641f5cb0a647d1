"""What people review of a run: its entries by listing, found by id, and with decisions on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from functools import cached_property

from dtui.dataclass_on_use import dataclass
from dtui.model import Anomaly, Incident
from dtui.model.findings.review import Entry, Listing, with_decisions


@dataclass(frozen=True, eq=False, slots=True)
class Review:
    """All entries. There may be thousands: they are made in the loader's thread, and found by an index.

    Attributes:
        entries: By listing, in the order of the review; without a listing that nothing has been found for yet.
    """

    entries: Mapping[Listing, tuple[Entry, ...]] = field(default_factory=dict)

    @cached_property
    def anomalies(self) -> tuple[Anomaly, ...]:
        """The anomalies of all entries, by iteration."""
        return tuple(one for of in self.entries.values() for entry in of for one in entry.anomalies)

    @cached_property
    def class_anomalies(self) -> tuple[Anomaly, ...]:
        """The anomalies that are of a class."""
        return tuple(anomaly for anomaly in self.anomalies if anomaly.class_index is not None)

    @cached_property
    def incidents(self) -> tuple[Incident, ...]:
        """The incidents of all entries, by iteration."""
        return tuple(one.incident for of in self.entries.values() for one in of if one.incident is not None)

    @cached_property
    def _by_id(self) -> Mapping[str, Entry]:
        every = [entry for of in self.entries.values() for entry in of][::-1]
        return {**{id_: entry for entry in every for id_ in entry.ids}, **{entry.id: entry for entry in every}}

    def find(self, id_: str | None) -> Entry | None:
        """Return the entry with an id, or with an anomaly that has it; None if there is none (any more)."""
        return None if id_ is None else self._by_id.get(id_)

    def having(self, listing: Listing, entries: Sequence[Entry]) -> Review:
        """Return the review with the entries of a listing."""
        return Review({**self.entries, listing: tuple(entries)})

    def decided(self, decisions: Mapping[str, tuple[str, str | None]]) -> Review:
        """Return the review after decisions: status and note by id; a note of None stays as it is."""
        return Review({name: tuple(with_decisions(one, decisions) for one in of) for name, of in self.entries.items()})
