"""Some images as they were judged at one validation."""

from __future__ import annotations

from dtui.dataclass_on_use import dataclass
from dtui.model.arrays import IntArray
from dtui.model.views import ImageVerdict


@dataclass(frozen=True, slots=True)
class GalleryRequest:
    """Which images a gallery shows.

    Attributes:
        iteration: The validation is the last at or before it.
        first: First image shown, counted in order.
        count: Images shown, >= 1.
        classes: Labels whose images are shown.
        listed: Of IMAGE_LISTS, or TURNED_WRONG: the images of that list over all classes instead, in its order; "" for
            none.
        sort: Of GALLERY_SORTS, for `classes`.
        since: For TURNED_WRONG: images that were right at the last validation before this iteration; None for the
            validation before the one that is shown.
        excites: Layer and filter: the images that excite it most instead, the strongest first; None for none.
        taken_for: Of `classes`, only images that got this label at the validation; None for all.
    """

    iteration: int
    first: int
    count: int
    classes: tuple[int, ...] = ()
    listed: str = ""
    sort: str = "wrong"
    since: int | None = None
    excites: tuple[int, int] | None = None
    taken_for: int | None = None


TURNED_WRONG = "turned-wrong"
"""The images that are wrong at a validation and were right before; by class."""
GALLERY_SORTS = ("wrong", "index")
"""Wrong images first, by their labels, or by their scores where those decide; or in the order of the run."""


@dataclass(frozen=True, eq=False, slots=True)
class Gallery:
    """Some images as they were judged at one validation.

    Attributes:
        request: The request; `first` and `count` are clamped.
        order: All images of the gallery, shape (n,): indices in the ImageSet.
        shown: Those that were asked for.
        forgotten: Forgetting events of each of `shown` over the run, shape (count,).
        iteration: Of the validation; None before the first.
        wrong: Images of the gallery that were wrong at it.
        validations: Of the run.
    """

    request: GalleryRequest
    order: IntArray
    shown: tuple[ImageVerdict, ...]
    forgotten: IntArray
    iteration: int | None
    wrong: int
    validations: int
