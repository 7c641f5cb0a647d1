"""What people come for, in at most three keys from the first screen, readable in words at 80×24.

Typing a name behind the colon counts as one key.
"""

from __future__ import annotations

import re

import pytest

from tests.tui.driving import press, screen_text
from tests.tui.test_app import go
from tests.tui.test_samples import BATCHES, FAULTS, opened

SIZE = (80, 24)
JOBS = [
    ("which class broke at 430, and what it became", ["g"], [r"class 4 rose from 1.5 % to 100 %", r"class 9 ▇+ 98"]),
    ("what died at about 1,003", ["N"], [r"6 of the 16 filters of layer2\.1\.conv1", r"filters 1, 4, 5, 8, 11, 14"]),
    ("which filter jumped at about 1,351", [], [r"filter 17 of layer3\.0\.conv1 changed by 14,700 times"]),
    (
        "whether an update ratio is healthy",
        [":layer3.1.conv2"],
        [r"layer3\.1\.conv2 .*update ratio [0-9.e-]+, healthy"],
    ),
    ("which images are always wrong", ["3", "A"], [r"wrong"]),
    ("what is dead in the whole network", ["2"], [r"7 of 402 filters dead: layer2\.1\.conv1 1 4 5 8 11 14"]),
    ("the strongest incident and its images", ["g", "enter", "i"], [r"→? ?9"]),
    (
        "which images turned wrong when filters died",
        ["N"],
        [r"no class named; 33 images turned wrong at 1,010 \(usually"],
    ),
    ("their pictures", ["N", "i"], [r"turned wrong here", r"33 of 33 wrong at 1,010"]),
    ("the images around a filter's jump, from its layer", ["enter", "i"], [r"turned wrong here", r"wrong at 1,360"]),
    ("where two runs part", ["6", "k", "equals_sign"], [r"first divergence: iteration 430, class 4; fc"]),
]
OF_BATCHES = [
    (
        "which batch came before it, in words",
        [],
        [r"data: 1 sample id stands before 8 of 25 triggers, this one too: 412", r"D"],
    ),
    (
        "which batch came before it",
        ["D"],
        [
            r"Batch of 611 +32 samples",
            r"412 +8 of 25 triggers .* in this batch",
            r"412 3177 793",
            r"610 +0\.716 +3867 2356",
        ],
    ),
    ("which batch came before the next one", ["n", "D"], [r"Batch of 950", r"1973 +11 of 25 triggers .* this batch"]),
    ("which batch came before that one", ["D", "comma"], [r"Batch of 610"]),
    ("back from the batch", ["D", "escape"], [r"Triage", r"Evidence"]),
]
"""Of the sample run whose training set has damaged samples."""


EVERY = [*((FAULTS, *job) for job in JOBS), *((BATCHES, *job) for job in OF_BATCHES)]


@pytest.mark.parametrize(("run", "job", "keys", "answers"), EVERY, ids=[job for _, job, _, _ in EVERY])
async def test_it_is_answered_in_three_keys(run, job, keys, answers):
    assert len(keys) <= 3
    async with opened(run, SIZE) as (app, pilot):
        for key in keys:
            if key.startswith(":"):
                await go(app, pilot, key[1:])
                await press(app, pilot)
            else:
                await press(app, pilot, key)
        shown = screen_text(app)
    for answer in answers:
        assert re.search(answer, shown), (job, shown)
