"""Answers how one image was judged over the run, and which images flip with it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from dtui.analysis.downsample import pool_mean
from dtui.analysis.relations.partners import Flipping
from dtui.analysis.thumbnails import decode_thumbnail
from dtui.errors import UsageError
from dtui.model import FloatArray, IntArray, TimeAxis, read_only
from dtui.model.learning import ImageHistory, LabelStretch, LabelStrips
from dtui.query.data import RunData
from dtui.query.images import NO_LABEL, check_image, wrong_labels
from dtui.query.relations.learning import learned_images

MOST_PARTNERS = 100
MOST_STRIPS = 64
CONFIDENCES = 255


def image_history(data: RunData, image: int, partners: int) -> ImageHistory:
    """Answer `RunQuery.image_history`."""
    images = check_image(data, image)
    if not 0 <= partners <= MOST_PARTNERS:
        raise UsageError(f"image {image}: {partners} images like it; ask for 0 to {MOST_PARTNERS}")

    def flips() -> Flipping:
        judged = data.judgements()
        return Flipping(judged.layout, judged.right, judged.lost)

    flipping = data.remembered("flipping", flips)
    found, shared = flipping.partners(image, partners)
    labels = data.labels(slice(image, image + 1), slice(0, len(data.validations)))[0]
    scores = data.column("score", slice(image, image + 1), slice(0, len(data.validations)))
    return ImageHistory(
        learned=learned_images(data, np.array([image]))[0],
        stretches=_stretches(labels, data.validations),
        flips=int(flipping.counts[image]),
        partners=read_only(found),
        shared=read_only(shared),
        partner_flips=read_only(flipping.counts[found]),
        partner_targets=read_only(images.targets[found].astype(np.int64)),
        pixels=decode_thumbnail(data.reader.read_thumbnail(image)),
        partner_pixels=tuple(decode_thumbnail(data.reader.read_thumbnail(one)) for one in found.tolist()),
        judging=data.judging,
        scores=read_only(np.zeros(0) if scores is None else scores[0]),
    )


def _stretches(labels: IntArray, iterations: IntArray) -> tuple[LabelStretch, ...]:
    """Cut the labels of an image, shape (validations,), where they change."""
    if not len(labels):
        return ()
    known = np.where(labels >= 0, labels, np.int64(NO_LABEL))
    starts = np.flatnonzero(np.append(True, known[1:] != known[:-1]))
    stops = np.append(starts[1:], len(known))
    return tuple(
        LabelStretch(
            int(iterations[start]),
            int(iterations[stop - 1]),
            None if known[start] == NO_LABEL else int(known[start]),
            int(stop - start),
        )
        for start, stop in zip(starts.tolist(), stops.tolist(), strict=True)
    )


def label_strips(data: RunData, images: tuple[int, ...], axis: TimeAxis) -> LabelStrips:
    """Answer `RunQuery.label_strips`."""
    if len(images) > MOST_STRIPS:
        raise UsageError(f"labels over time: {len(images)} images; ask for at most {MOST_STRIPS}")
    for image in images:
        check_image(data, image)
    held = data.held_validations(axis)
    needed = held.needed
    own = held.shifted(needed.start)
    shape = (len(images), axis.columns)
    correct, confidence = np.full(shape, np.nan), np.full(shape, np.nan)
    wrong: IntArray = np.full(shape, NO_LABEL, dtype=np.int32)
    has_scores = data.judging is not None and data.judging.has_scores
    scores = np.full(shape, np.nan) if has_scores else None
    for row, image in enumerate(images):
        one = slice(image, image + 1)
        labels = data.labels(one, needed)
        sure = data.reader.read_confidences(one, needed)
        target = int(data.images.targets[image]) if data.images is not None else 0
        correct[row] = pool_mean(_where(labels >= 0, labels == target), own)[0]
        if data.judging is None:
            confidence[row] = pool_mean(_where((labels >= 0) & (sure >= 0), sure / CONFIDENCES), own)[0]
        if scores is not None and (found := data.column("score", one, needed)) is not None:
            scores[row] = pool_mean(np.where(np.isfinite(found), found, np.nan), own)[0]
        if held.has_value.any():
            wrong[row] = wrong_labels(data, np.array([image]), held, 1)[0]
    strips = LabelStrips(axis, images, read_only(correct), read_only(wrong), read_only(confidence))
    if scores is None or not images:
        return strips
    return replace(strips, score=read_only(scores), score_range=_score_range(data, images[0]))


def _score_range(data: RunData, image: int) -> tuple[float, float]:
    """Return the smallest and the largest score of an image over the run; (0, 1) where it has none."""
    every = data.column("score", slice(image, image + 1), slice(0, len(data.validations)))
    finite = np.zeros(0) if every is None else every[np.isfinite(every)]
    return (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 1.0)


def _where(known: np.ndarray, values: np.ndarray) -> FloatArray:
    """Return the values, NaN where they are not known."""
    return np.where(known, values, np.nan).astype(np.float64)
