"""The selected entry of the review in full, with what shows it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from dtui.dataclass_on_use import dataclass
from dtui.model import ImageVerdict
from dtui.model.findings.incident_evidence import IncidentEvidence, TurnedWrong
from dtui.query import RunQuery
from dtui.tui.panes.validation.inside import TurnedQuestion, look_at_entry
from dtui.tui.renderables.panes.entry_detail import TITLE, EntryDetailPicture
from dtui.tui.renderables.panes.message import MessagePicture
from dtui.tui.renderables.parts.picture import Picture
from dtui.tui.state.pane import Pane, Scene, Step
from dtui.tui.state.questions import Question
from dtui.tui.state.review.entry_steps import neighbour

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
    bar = ((("inside",), "its images"),)

    @property
    def steps(self) -> Mapping[str, Step]:
        """Show the images of the entry."""
        return {"inside": look_at_entry}

    def needed(self, scene: Scene) -> int:
        """Return the rows of a chart, and of images where there are some; none where there is nothing to select."""
        if not scene.entries:
            return 0
        return ROWS_WITH_IMAGES if _images(scene)[0] else FEWEST_ROWS

    def wanted(self, scene: Scene) -> Iterator[Question[Any]]:
        """Ask for the wrong images; the list beside it asks for the evidence."""
        yield from images_asked(scene, bool(self.height(scene)))

    def picture(self, scene: Scene) -> Picture:
        """Return the entry."""
        entry = scene.view.find_entry(scene.selection.entry)
        if entry is None:
            return self._none_selected(scene)
        return EntryDetailPicture(entry, scene.view.classes, _evidence(scene), images_of(scene), _turned(scene))

    def _none_selected(self, scene: Scene) -> MessagePicture:
        """Return what can be done where no entry is selected; nothing where there is none."""
        if scene.entries:
            noun = scene.entries[0].noun
            before = "" if neighbour(scene, -1) is None else ", N the last one before the crosshair"
            return MessagePicture(f"j selects the first {noun}{before}", title=self.title)
        return MessagePicture()


def images_asked(scene: Scene, is_shown: bool) -> Iterator[Question[Any]]:
    """Yield the questions about the images that turned wrong at the selected entry."""
    entry = scene.view.find_entry(scene.selection.entry)
    if entry is not None and entry.incident is not None and not entry.classes and is_shown:
        yield TurnedQuestion(entry.id)
    wrong, moment = _images(scene)
    if moment is not None and wrong and is_shown:
        yield WrongImagesQuestion(wrong[:MOST_IMAGES], moment)


def images_of(scene: Scene) -> tuple[ImageVerdict, ...]:
    """Return some images that turned wrong at the selected entry; none until they are known."""
    images = scene.answers.get(WrongImagesQuestion) or ()
    is_theirs = {image.image for image in images} <= set(_images(scene)[0])
    return images if is_theirs else ()


def _images(scene: Scene) -> tuple[tuple[int, ...], int | None]:
    """Return images that turned wrong, of the worst class or else of all, and the iteration at which they were."""
    evidence, turned = _evidence(scene), _turned(scene)
    if turned is not None:
        return turned.images, turned.moment
    return ((), None) if evidence is None else (evidence.wrong, evidence.moment)


def _turned(scene: Scene) -> TurnedWrong | None:
    found = scene.answers.get(TurnedQuestion)
    return found.found if found is not None and found.id == scene.selection.entry else None


def _evidence(scene: Scene) -> IncidentEvidence | None:
    known = scene.answers.get(EvidenceQuestion) or {}
    return known.get(scene.selection.entry or "")
