"""Decoded chunks are kept of few parts, however many a run has; answers stay the same."""

from __future__ import annotations

import numpy as np
import pytest

from dtui.store.read import part_cache
from tests.store.conftest import Recording


@pytest.mark.parametrize("most", [0, 20_000, 1 << 30])
def test_memory_for_chunks_does_not_grow_with_the_parts(
    recording: Recording, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(part_cache, "CHUNKS_KEPT", most)
    for _ in range(6):
        recording.append(32, 0)
        recording.compact()
    reader = recording.reader()
    parts = reader._streams._parts
    first = reader.read_filters("std", slice(None), slice(None))
    for _ in range(3):
        np.testing.assert_array_equal(reader.read_filters("std", slice(None), slice(None)), first)
        files = list(parts._files.values())
        assert len(files) >= 6
        kept = [file.kept_bytes for file in files]
        assert sum(kept[:-1]) <= most  # the part that is read at the moment comes on top
    assert any(kept)
    if most > 1_000_000:
        assert all(kept[-6:])
