"""Finds the settings that are not the same in several runs.

Owns which settings count and their order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dtui.model import RunInfo, RunMetadata
from dtui.model.compare import Difference
from dtui.number_text import counted

Settings = Mapping[tuple[str, str], str]
"""Kind and name of a setting to its value; data from outside."""


def settings_of(info: RunInfo, metadata: RunMetadata) -> Settings:
    """Return all settings of a run, those that people choose first."""
    sizes = {
        ("network", "layers"): f"{info.layers:,}",
        ("network", "filters"): f"{info.filters:,}",
        ("data", "classes"): f"{info.classes:,}",
        ("data", "validation images"): f"{info.images:,}",
    }
    if info.coverage is not None:
        sizes["network", "parameters"] = f"{info.coverage.parameters:,}"
    return {**_chosen(metadata), **sizes, **_made(metadata)}


def _chosen(metadata: RunMetadata) -> Settings:
    return {("hyper-parameter", name): str(value) for name, value in metadata.hyperparameters.items()}


def _made(metadata: RunMetadata) -> Settings:
    versions = {("version", name): str(value) for name, value in metadata.versions.items()}
    return {("recording", "every"): counted(metadata.every, "iteration"), **versions}


def differences(runs: Sequence[Settings]) -> tuple[Difference, ...]:
    """Return the settings that are not the same in all runs, in the order of the run that names them first.

    Args:
        runs: The settings of each run.
    """
    kinds = ("hyper-parameter", "network", "data", "recording", "version")
    keys = sorted(dict.fromkeys(key for settings in runs for key in settings), key=lambda key: kinds.index(key[0]))
    found = [Difference(*key, tuple(settings.get(key) for settings in runs)) for key in keys]
    return tuple(one for one in found if len(set(one.values)) > 1)
