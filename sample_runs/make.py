"""Makes the sample runs anew: `python sample_runs/make.py [FOLDER]`.

Two trainings of the same network on the same digits; the second with faults injected on purpose, which its
notes list. Everything that is drawn depends on the seed alone.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import torch

from dtui.record.demo import Fault, train_demo

SEED = 7
ITERATIONS = 2400
EVERY = 10

FAULTS = (
    Fault("poisoned_labels", 423, 8, label=4, becomes=9),
    Fault("learning_rate_spike", 742, 2, factor=20.0),
    Fault("dead_filters", 1003, layer="layer2.1.conv1", filters=(1, 4, 5, 8, 11, 14)),
    Fault("bit_flip", 1351, layer="layer3.0.conv1", filters=(17,)),
    Fault("poisoned_labels", 1642, 30, label=7, becomes=1),
)
RUNS = {"mnist-healthy": (), "mnist-faults": FAULTS}


def main(folder: Path) -> None:
    """Make both runs in a folder, in place of those that are there."""
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    for name, faults in RUNS.items():
        path = folder / f"{name}.dtui"
        if path.exists():
            shutil.rmtree(path)
        train_demo(path, iterations=ITERATIONS, every=EVERY, seed=SEED, faults=faults)
        print(path)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
