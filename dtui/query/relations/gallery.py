"""Answers which images a gallery shows, and how each was judged."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from dtui.analysis.correctness import WORD, WordArray
from dtui.analysis.ordering import by_most_frequent
from dtui.analysis.relations.learning import images_of_list
from dtui.errors import UsageError
from dtui.model import BoolArray, FloatArray, IntArray, LabelArray, read_only
from dtui.model.judging import HIGHER
from dtui.model.learning import GALLERY_SORTS, IMAGE_LISTS, TURNED_WRONG, Gallery, GalleryRequest
from dtui.query.classes.errors import check_labels
from dtui.query.data import RunData
from dtui.query.images import image_verdict, images_of, labels_at, position_of
from dtui.query.labels.kept_learning import learning
from dtui.query.layers.activations import exciting_images

UNKNOWN = 1 << 20
"""Sorts after every label: an image that was not judged."""


def gallery(data: RunData, request: GalleryRequest) -> Gallery:
    """Answer `RunQuery.gallery`."""
    check_labels(data, request.classes)
    known = (TURNED_WRONG, *IMAGE_LISTS)
    if request.listed and request.listed not in known:
        raise UsageError(f"list of images {request.listed!r} is unknown; use one of {', '.join(known)}")
    if request.sort not in GALLERY_SORTS:
        raise UsageError(f"order of a gallery {request.sort!r} is unknown; use one of {', '.join(GALLERY_SORTS)}")
    images, position = data.images, position_of(data, request.iteration)
    if images is None:
        nothing: IntArray = np.zeros(0, dtype=np.int64)
        return Gallery(replace(request, first=0, count=0), nothing, (), nothing, None, 0, 0)
    chosen = _chosen(data, request)
    is_wrong = _is_wrong(data, chosen, position)
    if request.sort == "wrong" and not request.listed and request.excites is None:
        scores = _scores(data, chosen, position)
        if scores is None:
            order = _wrong_first(labels_at(data, chosen, position), images.targets[chosen], is_wrong)
        else:
            order = np.argsort(scores, kind="stable")  # NaN is last
        chosen = chosen[order]
    first = max(0, min(request.first, len(chosen) - 1))
    shown = chosen[first : first + max(1, request.count)]
    learned = learning(data)
    return Gallery(
        request=replace(request, first=first, count=len(shown)),
        order=read_only(chosen),
        shown=tuple(image_verdict(data, image, request.iteration) for image in shown.tolist()),
        forgotten=read_only(learned.forgotten[shown]),
        iteration=int(data.validations[position]) if position >= 0 else None,
        wrong=int(np.count_nonzero(is_wrong)),
        validations=len(data.validations),
    )


def _scores(data: RunData, images: IntArray, position: int) -> FloatArray | None:
    """Return the scores of images at a validation so that worse is smaller; None where scores do not decide."""
    judging = data.judging
    if judging is None or not judging.has_scores or position < 0 or not len(images):
        return None
    low, high = int(images.min()), int(images.max()) + 1
    found = data.column("score", slice(low, high), slice(position, position + 1))
    if found is None:
        return None
    values: FloatArray = found[images - low, 0]
    return values if judging.better == HIGHER else -values


def _chosen(data: RunData, request: GalleryRequest) -> IntArray:
    if request.excites is not None:
        return exciting_images(data, *request.excites, request.iteration)
    if not request.listed:
        found = images_of(data, request.classes)
        if request.taken_for is None:
            return found
        taken: IntArray = found[labels_at(data, found, position_of(data, request.iteration)) == request.taken_for]
        return taken
    if not len(data.validations):
        return np.zeros(0, dtype=np.int64)
    if request.listed == TURNED_WRONG:
        return _turned_wrong(data, position_of(data, request.iteration), request.since)
    return data.remembered(("images of list", request.listed), lambda: images_of_list(request.listed, learning(data)))


def _turned_wrong(data: RunData, position: int, since: int | None) -> IntArray:
    """Return the images that are wrong at a validation and were right at the reference, by their class.

    The class of most of them comes first.
    """
    begun = position if since is None else min(position, int(np.searchsorted(data.validations, since)))
    every = np.arange(data.layout.total_images)
    if begun < 1:
        return every[:0]
    found: IntArray = every[_is_wrong(data, every, position) & _is_right(data, every, begun - 1)]
    result: IntArray = found[by_most_frequent(_targets(data, found).astype(np.int64))]
    return result


def _is_wrong(data: RunData, images: IntArray, position: int) -> BoolArray:
    """Return which images were judged wrong at a validation, shape (images,); none before the first (-1)."""
    if position < 0:
        return np.zeros(len(images), dtype=np.bool_)
    if not data.has_judgements:
        labels = labels_at(data, images, position)
        is_wrong: BoolArray = (labels >= 0) & (labels != _targets(data, images))
        return is_wrong
    judged, bits = data.judgements(), data.layout.bit_of_image()[images]
    known = judged.right[position] if judged.lost is None else judged.right[position] | judged.lost[position]
    return ~_bits(known, bits)


def _is_right(data: RunData, images: IntArray, position: int) -> BoolArray:
    """Return which images were judged right at a validation, shape (images,)."""
    if not data.has_judgements:
        result: BoolArray = labels_at(data, images, position) == _targets(data, images)
        return result
    return _bits(data.judgements().right[position], data.layout.bit_of_image()[images])


def _targets(data: RunData, images: IntArray) -> LabelArray:
    return np.zeros(len(images), np.uint16) if data.images is None else data.images.targets[images]


def _bits(words: WordArray, bits: IntArray) -> BoolArray:
    """Return whether bits are set, shape (bits,)."""
    result: BoolArray = (words[bits // WORD] >> (bits % WORD).astype(np.uint64) & np.uint64(1)) == 1
    return result


def _wrong_first(labels: IntArray, targets: IntArray, is_wrong: BoolArray) -> IntArray:
    """Return the order of images: the most frequent wrong label first, then right ones, then those not judged."""
    kinds, kind, counts = np.unique(labels[is_wrong], return_inverse=True, return_counts=True)
    rank = np.full(len(labels), UNKNOWN)
    rank[labels == targets] = UNKNOWN - 1
    place = np.empty(len(kinds), dtype=np.int64)
    place[np.lexsort((kinds, -counts))] = np.arange(len(kinds))
    rank[is_wrong] = place[kind]
    order: IntArray = np.argsort(rank, kind="stable")
    return order
