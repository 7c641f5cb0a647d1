"""The questions of `RunQuery` about validations: errors of classes, and how images were judged."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dtui.on_use import on_use

if TYPE_CHECKING:
    from dtui.model import (
        ClassCluster,
        ClassCourse,
        ClassErrors,
        FloatArray,
        ImageRows,
        ImagesRequest,
        ImageVerdict,
        TimeAxis,
    )
    from dtui.model.learning import ConfusionMatrix, Gallery, GalleryRequest, ImageHistory, LabelStrips, TakenFor
    from dtui.query import images
    from dtui.query.classes import clusters, courses, errors
    from dtui.query.data import RunData
    from dtui.query.relations import confusion, gallery, image_history
else:
    (images,) = on_use("dtui.query", "images")
    clusters, courses, errors = on_use("dtui.query.classes", "clusters", "courses", "errors")
    confusion, gallery, image_history = on_use("dtui.query.relations", "confusion", "gallery", "image_history")


class ValidationQuestions:
    """The part of `RunQuery` that answers questions about validations."""

    def __init__(self, data: RunData) -> None:
        """Answer from a run's data."""
        self._data = data

    # --- classes and images
    def clusters(
        self,
        count: int = 4,
        *,
        method: str = "k-means",
        standardised: bool = False,
        sort: str = "error",
        at: int | None = None,
    ) -> tuple[ClassCluster, ...]:
        """Return the classes in at most `count` clusters by their error series; empty before the first validation.

        Args:
            count: Most clusters, >= 1.
            method: "k-means", or "hierarchical": average linkage.
            standardised: Whether only the shape of the error series counts, not its level and range.
            sort: Order of the classes within a cluster: "error" (smallest mean first), "here" (largest error at `at`
                first, the clusters likewise), "peak", "similarity", "name" or "index".
            at: Iteration for "here"; None for the last.

        Raises:
            UsageError: `count` is below 1, an unknown method or order, or too many classes for "hierarchical".
        """
        return clusters.clusters(self._data, count, method, standardised, sort, at)

    def worst_classes(self, iteration: int, most: int = 1) -> tuple[tuple[int, float], ...]:
        """Return the classes with the largest errors at the last validation at or before an iteration.

        Returns:
            At most `most` labels with their errors, (0, 1], the worst first; none where no image was wrong.

        Raises:
            UsageError: `most` is below 1.
        """
        return errors.worst_classes(self._data, iteration, most)

    def class_errors(self, groups: Sequence[Sequence[int]], axis: TimeAxis) -> ClassErrors:
        """Return the error of groups of classes, each image counting once.

        Raises:
            UsageError: An unknown class.
        """
        return errors.class_errors(self._data, groups, axis)

    def class_courses(self, by: str = "error", top: int = 10) -> tuple[ClassCourse, ...]:
        """Return the classes with the largest error at the end, or ("change") whose error moved most once learned.

        Raises:
            UsageError: An unknown list, or `top` is below 1.
        """
        return courses.class_courses(self._data, by, top)

    def image_rows(self, request: ImagesRequest) -> ImageRows:
        """Return the images of some classes over time.

        Raises:
            UsageError: An unknown class, order or colour.
        """
        return images.image_rows(self._data, request)

    def prepare_images(self, classes: tuple[int, ...], seconds: float) -> bool:
        """Read what `image_rows` needs of some classes for about so long; return whether it needs no more.

        Raises:
            UsageError: An unknown class.
        """
        return images.prepare_images(self._data, classes, seconds)

    def image_verdict(self, image: int, iteration: int) -> ImageVerdict:
        """Return how one image was judged at the last validation at or before an iteration.

        Raises:
            UsageError: There is no such image.
        """
        return images.image_verdict(self._data, image, iteration)

    def gallery(self, request: GalleryRequest) -> Gallery:
        """Return images of some classes, or of a list, as they were judged at one validation.

        Raises:
            UsageError: An unknown class, list or order.
        """
        return gallery.gallery(self._data, request)

    def image_history(self, image: int, partners: int = 8) -> ImageHistory:
        """Return how one image was judged over the run, and at most `partners` images that flip most like it.

        Raises:
            UsageError: There is no such image, or `partners` is out of range.
        """
        return image_history.image_history(self._data, image, partners)

    def label_strips(self, images: Sequence[int], axis: TimeAxis) -> LabelStrips:
        """Return the labels of some images over time.

        Raises:
            UsageError: There is no such image, or there are too many.
        """
        return image_history.label_strips(self._data, tuple(images), axis)

    # --- wrong labels
    def taken_for(self, classes: Sequence[int], iteration: int) -> TakenFor:
        """Return what the images of some classes were taken for at the last validation at or before an iteration.

        Raises:
            UsageError: An unknown class.
        """
        return images.taken_for(self._data, tuple(classes), iteration)

    def confusion_matrix(
        self,
        iteration: int,
        since: int | None = None,
        rows: int = 20,
        columns: int = 20,
        picked: tuple[int, int | None] | None = None,
    ) -> ConfusionMatrix:
        """Return true against predicted labels at the last validation at or before an iteration.

        Args:
            iteration: Any.
            since: Changes are counted from the validation before this iteration, such as the first of an incident;
                None for the validation before the one that is shown.
            rows: Most true labels, >= 1. All that there are, in their order; if they are more, those that matter.
            columns: Most predicted labels, >= 1; likewise.
            picked: A true label that has a row in any case, with what it is taken for most; and one of these, or None.

        Raises:
            UsageError: `rows` or `columns` is below 1.
        """
        return confusion.confusion_matrix(self._data, iteration, since, rows, columns, picked)

    def confusion_shares(self, pairs: Sequence[tuple[int, int]], axis: TimeAxis) -> FloatArray:
        """Return which share of a class was taken for another over time, shape (pairs, columns), [0, 1].

        Within a column the largest; NaN where the class was not judged.

        Args:
            pairs: True and predicted labels.
            axis: The columns.

        Raises:
            UsageError: An unknown class, or too many pairs.
        """
        return confusion.confusion_shares(self._data, tuple(pairs), axis)
