"""Invented validations: classes that are learnt early, late or never, and images that waver.

Owns the invented judgements.
"""

from __future__ import annotations

import numpy as np

from dtui.model import ImageSet, Validation
from dtui.synth.events import CLASS_LOST, Event

NEVER_LEARNT = 0.08
WAVERING = 0.004


class Judge:
    """Judges every image at every record, one after the other."""

    def __init__(self, images: ImageSet, events: tuple[Event, ...], records: int, seed: int) -> None:
        """Draw when each image is learnt."""
        rng = np.random.default_rng([seed, 2])
        count, classes = len(images.targets), len(images.classes)
        self._targets = images.targets
        self._classes = classes
        self._records = records
        pace = rng.choice([0.05, 0.2, 0.45, 0.8], classes, p=[0.3, 0.35, 0.25, 0.1])[images.targets]
        self._learnt_at = np.clip(rng.gamma(4.0, pace / 4.0), 0.001, None)
        self._learnt_at[rng.random(count) < NEVER_LEARNT] = np.inf
        self._wrong = ((images.targets + rng.integers(1, max(classes, 2), count)) % classes).astype(np.uint16)
        usual = rng.integers(1, max(classes, 2), classes)[images.targets]
        self._confusion = ((images.targets + usual) % classes).astype(np.uint16)
        self._rng = np.random.default_rng([seed, 3])
        self._lost = [(event, self._lose(event, rng)) for event in events if event.kind == CLASS_LOST]
        self.error = 1.0
        """Share of wrongly judged images at the last validation."""

    def _lose(self, event: Event, rng: np.random.Generator) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        """Choose the images that an event takes; they are learnt before it, so that something can be lost."""
        members = np.flatnonzero(self._targets == event.label)
        chosen = rng.choice(members, max(1, round(event.share * len(members))), replace=False)
        before = 0.7 * event.start / self._records
        self._learnt_at[chosen] = np.minimum(self._learnt_at[chosen], before)
        return chosen

    def validation(self, position: int, every: int) -> Validation:
        """Return the judgement at a record; call it for one record after the other."""
        rng, count = self._rng, len(self._targets)
        correct = self._learnt_at <= (position + 1) / self._records
        correct ^= rng.random(count, np.float32) < WAVERING
        for event, chosen in self._lost:
            if event.start <= position < event.stop:
                correct[chosen] = False
        others = np.where(rng.random(count, np.float32) < 0.6, self._confusion, self._wrong)
        labels = np.where(correct, self._targets, others).astype(np.uint16)
        share = np.float32(0.4 + 0.5 * (position + 1) / self._records)
        sure = np.where(correct, share, 0.35) + 0.1 * rng.random(count, np.float32)
        self.error = float(1.0 - correct.mean())
        return Validation(position * every, labels, (255 * np.clip(sure, 0, 1)).astype(np.uint8))
