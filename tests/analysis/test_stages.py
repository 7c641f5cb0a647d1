from __future__ import annotations

import numpy as np
import pytest

from dtui.analysis.stages import find_stages

ITERATIONS = np.arange(200) * 6 + 5


def stages(rates):
    return [(stage.iteration, round(stage.learning_rate, 6)) for stage in find_stages(ITERATIONS[: len(rates)], rates)]


def test_steps_are_stages():
    rates = np.repeat([0.1, 0.01, 0.001], [100, 60, 40])
    assert stages(rates) == [(5, 0.1), (605, 0.01), (965, 0.001)]


@pytest.mark.parametrize("length", [1, 2, 3, 4, 5, 9])
def test_a_spike_is_no_stage(length):
    rates = np.full(200, 0.1)
    rates[90 : 90 + length] = 3.0
    assert stages(rates) == [(5, 0.1)]


def test_a_small_change_is_no_stage():
    assert stages(np.repeat([0.1, 0.06], 100)) == [(5, 0.1)]


def test_a_warm_up_belongs_to_what_it_leads_to():
    rates = np.concatenate([np.linspace(0.001, 0.1, 20), np.full(100, 0.1), np.full(80, 0.01)])
    assert stages(rates) == [(5, 0.1), (725, 0.01)]


def test_a_cosine_is_a_few_stages():
    rates = 0.05 * (1 + np.cos(np.linspace(0, np.pi, 200)))
    found = stages(rates)
    assert 3 <= len(found) <= 8
    assert [rate for _, rate in found] == sorted((rate for _, rate in found), reverse=True)


def test_warm_restarts_are_stages():
    rates = np.tile(np.repeat([0.1, 0.01], 50), 2)
    assert [rate for _, rate in stages(rates)] == [0.1, 0.01, 0.1, 0.01]


def test_a_drop_counts_once_it_holds():
    rates = np.full(200, 0.1)
    rates[197:] = 0.01
    assert len(stages(rates[:199])) == 1
    assert stages(rates) == [(5, 0.1), (1187, 0.01)]


def test_a_zero_rate_and_missing_values():
    rates = np.repeat([0.1, 0.0], 100)
    rates[::3] = np.nan
    assert stages(rates) == [(11, 0.1), (605, 0.0)]
    assert find_stages(ITERATIONS, np.full(200, np.nan)) == ()
