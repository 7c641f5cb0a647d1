"""The selected entry of the review in full, with what shows it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from dtui.dataclass_on_use import dataclass
from dtui.model import ImageVerdict
from dtui.model.findings.incident_evidence import IncidentEvidence
from dtui.query import RunQuery
from dtui.tui.renderables.panes.entry_detail import TITLE, EntryDetailPicture
from dtui.tui.renderables.panes.message import MessagePicture
from dtui.tui.renderables.parts.picture import Picture
from dtui.tui.state.pane import Pane, Scene
from dtui.tui.state.questions import Question

FEWEST_ROWS = 12
ROWS_WITH_IMAGES = 21
MOST_IMAGES = 8
"""Images that are asked for; as many are shown as fit."""


@dataclass(frozen=True, slots=True)
class EvidenceQuestion(Question[Mapping[str, IncidentEvidence]]):
    """What shows some incidents."""

    ids: tuple[str, ...]
    about = "evidence"

    def prepare(self, query: RunQuery, seconds: float) -> bool:
        """Look for incidents."""
        return query.prepare_incidents(seconds)

    def ask(self, query: RunQuery) -> Mapping[str, IncidentEvidence]:
        """Return it by the incident's id; an incident that there is no longer is left out."""
        wanted = [incident for incident in query.incidents() if incident.id in self.ids]
        return {found.id: found for found in query.incident_evidence(wanted)}


@dataclass(frozen=True, slots=True)
class WrongImagesQuestion(Question[tuple[ImageVerdict, ...]]):
    """Some images at an iteration."""

    images: tuple[int, ...]
    iteration: int
    about = "wrong images"

    def ask(self, query: RunQuery) -> tuple[ImageVerdict, ...]:
        """Return how each was judged."""
        return tuple(query.image_verdict(image, self.iteration) for image in self.images)


class EntryDetail(Pane):
    """What happened at the selected entry, in words, as a chart and with images."""

    name = "detail"
    title = TITLE
    has_time = False

    def needed(self, scene: Scene) -> int:
        """Return the rows of a chart, and of images where there are some."""
        evidence = self._evidence(scene)
        return FEWEST_ROWS if evidence is None or not evidence.wrong else ROWS_WITH_IMAGES

    def wanted(self, scene: Scene) -> Iterator[Question[Any]]:
        """Ask for the wrong images; the list beside it asks for the evidence."""
        evidence = self._evidence(scene)
        if evidence is not None and evidence.moment is not None and evidence.wrong and self.height(scene):
            yield WrongImagesQuestion(evidence.wrong[:MOST_IMAGES], evidence.moment)

    def picture(self, scene: Scene) -> Picture:
        """Return the entry."""
        entry = scene.view.find_entry(scene.selection.entry)
        if entry is None:
            hint = "j and k select an entry" if scene.entries else ""
            return MessagePicture(hint, title=self.title)
        evidence, images = self._evidence(scene), scene.answers.get(WrongImagesQuestion) or ()
        is_theirs = evidence is not None and {image.image for image in images} <= set(evidence.wrong)
        return EntryDetailPicture(entry, scene.view.classes, evidence, images if is_theirs else ())

    @staticmethod
    def _evidence(scene: Scene) -> IncidentEvidence | None:
        known = scene.answers.get(EvidenceQuestion) or {}
        return known.get(scene.selection.entry or "")
