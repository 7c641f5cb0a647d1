"""Rows of the tree are named so that they can be told apart: no layer is called by a number alone."""

from __future__ import annotations

import pytest

from dtui.tui.panes.layers.tree_rows import own_name


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("conv1", "conv1"),
        ("layer3.0.conv1", "conv1"),
        ("layer3.0.downsample.0", "downsample.0"),
        ("features.10", "features.10"),
        ("blocks.0.1", "blocks.0.1"),
        ("0", "0"),
        ("3.1", "3.1"),
        ("", ""),
    ],
)
def test_a_number_brings_the_name_before_it(name: str, expected: str) -> None:
    assert own_name(name) == expected
