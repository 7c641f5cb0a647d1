"""A layer of a sequence is called by its number: in a sentence "layer 3", so that nobody takes it for a count."""

from __future__ import annotations

import pytest

from dtui.model.layers import layer_called


@pytest.mark.parametrize(("name", "expected"), [("3", "layer 3"), ("0.1", "layer 0.1"), ("conv1", "conv1")])
def test_a_number_is_called_a_layer(name: str, expected: str) -> None:
    assert layer_called(name) == expected
