"""Opens the inner screens of Validation: a gallery, one image, confusions, thresholds; also for other screens.

Owns their names and what they are about.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from dtui.dataclass_on_use import dataclass
from dtui.model.findings.incident_evidence import TurnedWrong
from dtui.model.learning import TURNED_WRONG
from dtui.query import RunQuery
from dtui.tui.state.navigate import shown
from dtui.tui.state.pane import Scene, Step
from dtui.tui.state.questions import Question
from dtui.tui.state.selection import Selection

GALLERY = "Gallery"
IMAGE = "Image"
CONFUSION = "Confusion"
THRESHOLDS = "Thresholds"
UNREADABLE = ("No validation can be read", "Files of this run are missing or damaged: dtui check lists them")


@dataclass(frozen=True, slots=True)
class GalleryOptions:
    """The choices of the gallery.

    Attributes:
        listed: The list of images over all classes that is shown; "" shows those of the selected class or cluster.
        sort: Order of the images of a class.
        size: Place in the sizes of a tile; None suits the screen.
        nothing_always: Whether the list is shown because no image is always wrong.
    """

    listed: str = ""
    sort: str = "wrong"
    size: int | None = None
    nothing_always: bool = False


@dataclass(frozen=True, slots=True)
class InspectedImage:
    """The image that is looked at: its index in the ImageSet."""

    image: int = 0


def without_validations(scene: Scene, words: str, hint: str) -> tuple[str, str]:
    """Return what to say in a run without validations, and what to do: they may have been lost."""
    return UNREADABLE if scene.view.is_damaged else (words, hint)


@dataclass(frozen=True, slots=True)
class TurnedOf:
    """The images that turned wrong around an incident; None where no validation tells."""

    id: str
    found: TurnedWrong | None


@dataclass(frozen=True, slots=True)
class TurnedQuestion(Question[TurnedOf]):
    """The images that turned wrong around an incident, of all classes together."""

    id: str
    about = "images that turned wrong"

    def ask(self, query: RunQuery) -> TurnedOf:
        """Return them; none for an incident that there is no longer."""
        found = next((one for one in query.incidents() if one.id == self.id), None)
        return TurnedOf(self.id, None if found is None else query.turned_wrong(found))


def open_gallery(scene: Scene) -> Selection:
    """Return the selection on the images of the selected class or cluster."""
    return _gallery(scene, "")


def look_inside(scene: Scene) -> Selection:
    """Return the selection on the images of the selected class, or of an incident that names none.

    Those are the images that turned wrong there, unless it is known that there are none.
    """
    entry, turned = scene.view.find_entry(scene.selection.entry), scene.answers.get(TurnedQuestion)
    is_about_no_class = entry is not None and not entry.classes and entry.is_at(scene.selection.cursor)
    found = turned.found if turned is not None and entry is not None and turned.id == entry.id else None
    if found is not None and not found.count:
        return open_gallery(scene)
    if scene.selection.class_index is None and is_about_no_class:
        return open_list(scene, TURNED_WRONG)
    return open_gallery(scene)


def look_at_entry(scene: Scene) -> Selection:
    """Return the selection on the images of the class that the selected incident names; else on all that turned wrong.

    Those of an incident that names no class are shown at the validation within it at which most are wrong.
    """
    entry, turned = scene.view.find_entry(scene.selection.entry), scene.answers.get(TurnedQuestion)
    if entry is None or not entry.is_at(scene.selection.cursor):
        return open_list(scene, TURNED_WRONG)
    if entry.classes:
        return open_gallery(scene)
    if turned is not None and turned.found is not None and turned.id == entry.id:
        scene = scene.at(shown(scene.selection.with_cursor(turned.found.moment), scene))
    return open_list(scene, TURNED_WRONG)


def open_list(scene: Scene, listed: str) -> Selection:
    """Return the selection on a list of images over all classes."""
    return _gallery(scene, listed)


def _gallery(scene: Scene, listed: str) -> Selection:
    options = replace(scene.selection.get(GalleryOptions), listed=listed, nothing_always=False)
    return scene.at(scene.selection.put(options)).opened(GALLERY)


def open_image(scene: Scene, image: int) -> Selection:
    """Return the selection on one image."""
    return scene.at(scene.selection.put(InspectedImage(image))).opened(IMAGE)


def incident_begin(scene: Scene) -> int | None:
    """Return the iteration at which the selected incident begins, if the crosshair is on it; else None."""
    entry = scene.view.find_entry(scene.selection.entry)
    return entry.iteration if entry is not None and entry.is_at(scene.selection.cursor) else None


FROM_EVERYWHERE: Mapping[str, Step] = {
    "always_wrong": lambda scene: open_list(scene, "always-wrong"),
    "confusion": lambda scene: scene.opened(CONFUSION),
    "thresholds": lambda scene: scene.opened(THRESHOLDS),
}
"""Steps that are one key away on every screen."""
INSIDE: Mapping[str, Step] = {"inside": look_inside, **FROM_EVERYWHERE}
"""Steps that every pane of Validation has."""
