"""The network that these tests evaluate."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from tests.record.conftest import small_net


@pytest.fixture
def model() -> nn.Module:
    torch.manual_seed(2)
    return small_net()
