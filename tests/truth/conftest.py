"""What tests share that train networks of the corpus."""

from __future__ import annotations

from collections.abc import Iterator

import pytest


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """Train on one thread, and leave torch's threads as they were."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def digits() -> None:
    """Skip tests that need digits where they are not installed."""
    from tests.truth.corpus.data import MissingData, load

    try:
        load("digits")
    except MissingData as missing:
        pytest.skip(str(missing))
