"""Answers validation images over time: right or wrong, and the wrong label.

Owns the rows of the image pane.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from dtui.analysis.correctness import PackedLayout, WordArray
from dtui.analysis.downsample import ColumnRecords, column_batches, pool_mean, row_edges
from dtui.analysis.ordering import by_largest_first, by_peak, by_similarity
from dtui.analysis.relations.confusion import LABELS
from dtui.analysis.thumbnails import MOST_PIXELS, decode_thumbnail
from dtui.errors import UsageError
from dtui.model import (
    NO_VALUE,
    BoolArray,
    ByteArray,
    FloatArray,
    ImageRows,
    ImageSet,
    ImagesRequest,
    ImageVerdict,
    IntArray,
    LabelArray,
    read_only,
)
from dtui.model.learning import TakenFor
from dtui.query.classes.errors import check_labels
from dtui.query.data import RunData, have
from dtui.query.labels.judgements import Judgements
from dtui.query.labels.kept_learning import learning

SORTS = ("index", "error", "similarity", "peak")
COLOURS = ("correctness", "label")
FEATURES = 128
AT_ONCE = 16_000_000
NO_LABEL = -1
_NO_PIXELS = np.zeros((0, 0, 3), np.uint8)


def image_rows(data: RunData, request: ImagesRequest) -> ImageRows:
    """Answer `RunQuery.image_rows`."""
    check_labels(data, request.classes)
    if request.sort not in SORTS:
        raise UsageError(f"image order {request.sort!r} is unknown; use one of {', '.join(SORTS)}")
    if request.colour_by not in COLOURS:
        raise UsageError(f"image colours {request.colour_by!r} are unknown; use one of {', '.join(COLOURS)}")
    images = images_of(data, request.classes)
    order = data.remembered(("image order", request.classes, request.sort), lambda: _order(data, images, request))
    first = max(0, min(request.first, len(images) - 1))
    count = max(0, min(max(1, request.count), len(images) - first))
    rows = order[first : first + count]
    held = data.held_validations(request.axis)
    pixels = max(1, request.pixels)
    judged = data.judgements_of(request.classes)
    right = _share_right(judged, rows, held.needed, pixels)
    correct = pool_mean(right, _shifted(held)).astype(np.float32)
    wrong: IntArray = np.full(correct.shape, NO_LABEL, dtype=np.int32)
    if request.colour_by == "label" and count:
        wrong = wrong_labels(data, images[rows], held, pixels)
    always = (judged.times_right == 0) & (judged.times_judged > 0)
    return ImageRows(
        request=replace(request, first=first, count=count),
        correct=read_only(correct),
        wrong_label=read_only(wrong),
        order=read_only(images[order]),
        images=len(images),
        always_wrong=read_only(always[order]),
    )


def prepare_images(data: RunData, classes: tuple[int, ...], seconds: float) -> bool:
    """Answer `RunQuery.prepare_images`."""
    check_labels(data, classes)
    return data.prepare_judgements_of(classes, seconds)


def images_of(data: RunData, classes: tuple[int, ...]) -> IntArray:
    """Return the images of some classes, in the order of the classes given, shape (n,)."""
    first, images = data.layout.first_image, data.layout.images
    ranges = [np.arange(first[label], first[label] + images[label]) for label in classes]
    return np.concatenate(ranges) if ranges else np.zeros(0, dtype=np.int64)


def _order(data: RunData, images: IntArray, request: ImagesRequest) -> IntArray:
    """Return row on screen to position in `images`, shape (n,)."""
    if request.sort == "error":
        judged = data.judgements_of(request.classes)
        return by_largest_first(judged.times_right / np.maximum(judged.times_judged, 1))
    if request.sort == "similarity":
        return by_similarity(_features(data, request.classes))
    if request.sort == "peak":
        features = _features(data, request.classes)
        return by_peak(np.where(features > 0, features, np.nan))
    return np.arange(len(images))


def _features(data: RunData, classes: tuple[int, ...]) -> FloatArray:
    """Return each image's share of right judgements over equal stretches of time, shape (n, at most 128).

    0.5 where all judgements are lost.
    """
    judged = data.judgements_of(classes)
    stretches = row_edges(len(judged.right), FEATURES)
    if not len(stretches) or not classes:
        return np.zeros((judged.layout.total_images, 0))
    lengths = np.diff(np.append(stretches, len(judged.right)))

    def counts(packed: WordArray) -> FloatArray:
        parts = [
            np.add.reduceat(judged.layout.unpack(packed, place), stretches, axis=0, dtype=np.float32).T
            for place in range(len(classes))
        ]
        return np.concatenate(parts)

    right = counts(judged.right)
    if judged.lost is None:
        return right / lengths
    known = lengths - counts(judged.lost)
    return np.where(known > 0, right / np.maximum(known, 1), 0.5)


def _unpacked(layout: PackedLayout, packed: WordArray) -> BoolArray:
    """Return right or wrong, shape (validations, images)."""
    parts = [layout.unpack(packed, label) for label in range(len(layout.images))]
    return np.concatenate(parts, axis=1) if parts else np.zeros((len(packed), 0), dtype=np.bool_)


def _share_right(judged: Judgements, rows: IntArray, validations: slice, pixels: int) -> FloatArray:
    """Return the share of right judgements of each pixel row, shape (P, validations); NaN where all are lost."""
    edges = row_edges(len(rows), pixels)
    right = judged.right[validations]
    lost = None if judged.lost is None else judged.lost[validations]
    shares = np.empty((len(edges), len(right)), dtype=np.float32)
    if not len(rows):
        return shares
    at_once = max(1, AT_ONCE // judged.layout.total_images)
    for first in range(0, len(right), at_once):
        part = slice(first, first + at_once)
        counts = _pixel_sums(_unpacked(judged.layout, right[part])[:, rows], edges)
        known: IntArray = np.diff(np.append(edges, len(rows)))[:, None]
        if lost is not None:
            known = known - _pixel_sums(_unpacked(judged.layout, lost[part])[:, rows], edges)
        with np.errstate(invalid="ignore"):
            shares[:, part] = counts if known.max() == known.min() == 1 else counts / known
    return shares


def _pixel_sums(judged: BoolArray, edges: IntArray) -> IntArray:
    """Count over the rows of each pixel, shape (P, validations), given shape (validations, rows)."""
    counts: IntArray = judged.view(np.uint8)
    if len(edges) < judged.shape[1]:
        counts = np.add.reduceat(counts, edges, axis=1, dtype=np.uint32)
    return counts.T


def _shifted(held: ColumnRecords) -> ColumnRecords:
    """Return the same ranges, counted from the first needed record."""
    offset = held.needed.start
    return ColumnRecords(
        np.where(held.has_value, held.starts - offset, 0), np.where(held.has_value, held.stops - offset, 0)
    )


def wrong_labels(data: RunData, images: IntArray, held: ColumnRecords, pixels: int) -> IntArray:
    """Return the most frequent wrong label of each pixel and column, the smallest of equals, shape (P, columns)."""
    edges = np.append(row_edges(len(images), pixels), len(images))
    result = np.full((len(edges) - 1, held.columns), NO_LABEL, dtype=np.int32)
    low, high = int(images.min()), int(images.max()) + 1
    for columns in column_batches(held, max(1, AT_ONCE // (high - low))):
        starts, stops = held.starts[columns], held.stops[columns]
        window = slice(int(starts.min()), int(stops.max()))
        labels = data.labels(slice(low, high), window)
        lengths = stops - starts
        ends = np.cumsum(lengths)
        positions = np.arange(ends[-1]) + np.repeat(starts - window.start - ends + lengths, lengths)
        column = np.repeat(np.arange(len(columns)), lengths)
        targets = data.images.targets if data.images is not None else np.zeros(0, dtype=np.uint16)
        for pixel in range(len(result)):
            shown = images[edges[pixel] : edges[pixel + 1]]
            judged = labels[shown - low][:, positions]
            result[pixel, columns] = _most_frequent_wrong(judged, targets[shown], column, len(columns))
    return result


def _most_frequent_wrong(judged: IntArray, targets: LabelArray, column: IntArray, columns: int) -> IntArray:
    """Count the wrong labels of a pixel by column.

    Args:
        judged: Predicted labels, shape (images, judgements); negative where one is lost or was not judged.
        targets: True labels, shape (images,).
        column: Column of each judgement, shape (judgements,).
        columns: Number of columns.

    Returns:
        Shape (columns,), -1 where nothing was wrong.
    """
    wrong = (judged != targets[:, None]) & (judged >= 0)
    if not wrong.any():
        return np.full(columns, NO_LABEL)
    labels = judged[wrong].astype(np.int64)
    kinds, kind = np.unique(labels, return_inverse=True)
    where = np.broadcast_to(column, judged.shape)[wrong]
    counts = np.bincount(where * len(kinds) + kind, minlength=columns * len(kinds)).reshape(columns, len(kinds))
    result: IntArray = np.where(counts.any(axis=1), kinds[counts.argmax(axis=1)], np.int64(NO_LABEL))
    return result


def check_image(data: RunData, image: int) -> ImageSet:
    """Return the images of the run after checking that one of them has this index.

    Raises:
        UsageError: There is no such image.
    """
    images = data.images
    known = 0 if images is None else len(images.targets)
    if images is None or not 0 <= image < known:
        raise UsageError(f"image {image}: the run has " + (f"images 0–{known - 1}" if known else "no images"))
    return images


def position_of(data: RunData, iteration: int) -> int:
    """Return the position of the last validation at or before an iteration; -1 before the first."""
    return int(np.searchsorted(data.validations, iteration, side="right")) - 1


def labels_at(data: RunData, images: IntArray, position: int) -> IntArray:
    """Return the predicted labels of some images at a validation, shape (images,); NO_VALUE before the first (-1)."""
    if position < 0 or not len(images):
        return np.full(len(images), NO_VALUE, dtype=np.int32)
    return data.labels_around(images, position)


def taken_for(data: RunData, classes: tuple[int, ...], iteration: int) -> TakenFor:
    """Answer `RunQuery.taken_for`."""
    check_labels(data, classes)
    position, images = position_of(data, iteration), images_of(data, classes)
    targets = data.images.targets[images].astype(np.int64) if data.images is not None else images
    labels = labels_at(data, images, position)
    is_right = labels == targets
    is_wrong = (labels >= 0) & ~is_right
    pairs, counts = np.unique(targets[is_wrong] * LABELS + labels[is_wrong], return_counts=True)
    order = np.lexsort((pairs, -counts))
    return TakenFor(
        classes=classes,
        iteration=int(data.validations[position]) if position >= 0 else None,
        targets=read_only(pairs[order] // LABELS),
        labels=read_only(pairs[order] % LABELS),
        counts=read_only(counts[order]),
        right=int(np.count_nonzero(is_right)),
        judging=data.judging,
    )


def image_verdict(data: RunData, image: int, iteration: int) -> ImageVerdict:
    """Answer `RunQuery.image_verdict`."""
    images = check_image(data, image)
    position = position_of(data, iteration)
    label, confidence, judged_at = NO_VALUE, NO_VALUE, None
    if position >= 0:
        one, here = slice(image, image + 1), slice(position, position + 1)
        label = int(data.labels(one, here)[0, 0])
        confidence = int(data.reader.read_confidences(one, here)[0, 0])
        judged_at = int(data.validations[position])
    times, right = _times_judged(data, image)
    judging = data.judging
    score, rank, second, second_sure = (
        _value(data, name, image, position) for name in ("score", "rank", "second_label", "second_confidence")
    )
    return ImageVerdict(
        image=image,
        id=images.ids[image] if image < len(images.ids) else str(image),
        target=int(images.targets[image]),
        label=None if label < 0 else label,
        confidence=float("nan") if label < 0 or confidence < 0 or judging is not None else confidence / 255,
        iteration=judged_at,
        times_wrong=times - right,
        validations=times,
        pixels=data.remembered(("thumbnail", image), lambda: _thumbnail(data, image)),
        judging=judging,
        score=score,
        rank=None if np.isnan(rank) else int(rank),
        second_label=None if np.isnan(second) else int(second),
        second_confidence=second_sure / 255,
    )


def _times_judged(data: RunData, image: int) -> tuple[int, int]:
    """Return how often an image was judged, and how often it was right."""
    times, right = data.pictured(
        ("times judged", image),
        lambda: (np.array(_count_judged(data, image), np.int64),),
        lambda found: have(found, ("i", (2,))) and 0 <= found[0][1] <= found[0][0] <= len(data.validations),
    )[0].tolist()
    return times, right


def _count_judged(data: RunData, image: int) -> tuple[int, int]:
    if data.knows_times_judged:
        judged, right = data.times_judged()
        return int(judged[image]), int(right[image])
    learned = learning(data)
    return int(learned.judged[image]), int(learned.judged[image] - learned.wrong[image])


def _thumbnail(data: RunData, image: int) -> ByteArray | None:
    """Return the pixels of an image, None where it has none; where they are kept, nothing that decodes is imported."""
    pixels = data.pictured(
        ("thumbnail", image),
        lambda: (_NO_PIXELS if (found := decode_thumbnail(data.reader.read_thumbnail(image))) is None else found,),
        lambda found: have(found, ("u", (None, None, 3))) and found[0].size <= 3 * MOST_PIXELS,
    )[0]
    return read_only(pixels) if pixels.size else None


def _value(data: RunData, name: str, image: int, position: int) -> float:
    """Return a column's value of an image at a validation; NaN where there is none."""
    found = data.column(name, slice(image, image + 1), slice(position, position + 1)) if position >= 0 else None
    return float("nan") if found is None else float(found[0, 0])
