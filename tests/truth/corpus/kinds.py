"""All kinds of fault, by name."""

from __future__ import annotations

from tests.truth.corpus.training_faults import (
    DroppedClass,
    ExplodingGradient,
    FrozenLayer,
    PoisonedLabels,
    RateLeftHigh,
    RateSpike,
    ShuffledLabels,
    WronglyNormalisedInputs,
)
from tests.truth.corpus.weight_faults import (
    BrokenStatistics,
    DeadFilters,
    HugeFlip,
    LargeFlip,
    NewLayer,
    NotANumber,
    ScaledLayer,
    SeveralFlips,
    SmallFlip,
    ZeroGamma,
)

KINDS = {
    kind.name: kind
    for kind in (
        PoisonedLabels(),
        DroppedClass(),
        ShuffledLabels(),
        WronglyNormalisedInputs(),
        RateSpike(),
        RateLeftHigh(),
        ExplodingGradient(),
        FrozenLayer(),
        DeadFilters(),
        SmallFlip(),
        LargeFlip(),
        HugeFlip(),
        SeveralFlips(),
        NotANumber(),
        ScaledLayer(),
        NewLayer(),
        BrokenStatistics(),
        ZeroGamma(),
    )
}
