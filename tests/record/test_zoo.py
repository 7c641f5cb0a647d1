"""Three of the constructors that `python -m tests.record.zoo` trains: same bits with and without the recorder."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.record.zoo.public_models import build, public_models
from tests.record.zoo.trained_twice import judge

pytestmark = pytest.mark.skipif(find_spec("transformers") is None, reason="transformers is not installed")

STEPS = 6
FEW = {  # with the least share of the parameters that is in layers
    "ViTForImageClassification": 0.9,
    "MixtralForCausalLM": 0.9,
    "MambaForCausalLM": 0.7,
}


@pytest.mark.parametrize(("name", "least"), FEW.items(), ids=FEW)
def test_a_public_model_trains_the_same_bits(tmp_path: Path, name: str, least: float) -> None:
    public = next(one for one in public_models() if one.name == name)
    judged = judge(name, build(public), tmp_path, STEPS)
    assert judged.same
    assert judged.layers > 3
    assert judged.share >= least, judged.others
    assert judged.told == ()
    assert judged.records >= 2
