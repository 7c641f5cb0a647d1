"""Answers `RunQuery.state`: the state at the end of the run, layer by layer."""

from __future__ import annotations

import numpy as np

from dtui.analysis.filters import DEAD_RECORDS
from dtui.analysis.standing import MOVING_RECORDS, dead_since, find_moving, layers_without, moving_since
from dtui.model import FloatArray, IntArray, Layer, RunState, Standing, StateEntry
from dtui.number_text import counted
from dtui.query.data import RunData
from dtui.query.kept.state import kept_entries
from dtui.query.layers.activations import silent_filters
from dtui.query.layers.beside.adapters import adapter_states
from dtui.query.layers.filter_learning import FilterLearning

ORDER = tuple(Standing)


def state(data: RunData, learning: FilterLearning, is_brief: bool = False) -> RunState:
    """Answer `RunQuery.state`: the filters and layers that stand out, by state, then in layer order."""
    regular = np.flatnonzero(~data.is_watch)

    def find() -> list[StateEntry]:
        entries = _layers(data, regular)
        for layer in data.structure.layers:
            entries += _filters(data, learning, layer, regular, is_brief)
        # stable: in layer order within a standing
        return sorted(entries, key=lambda entry: ORDER.index(entry.standing))

    entries = find() if is_brief else kept_entries(data, find)
    return RunState(tuple(entries), _missing(data, len(regular)), len(regular), adapter_states(data))


def _filters(
    data: RunData, learning: FilterLearning, layer: Layer, regular: IntArray, is_brief: bool
) -> list[StateEntry]:
    entries = []
    dead = np.flatnonzero(learning.dead(layer.index))
    if len(dead):
        norms, iterations = _of_run(data, "gradient_norm", layer, regular)
        entries.append(_entry(Standing.DEAD, layer, dead, dead_since(norms, dead, iterations)))
    silent = silent_filters(data, layer.index)
    if silent:
        entries.append(_entry(Standing.SILENT, layer, np.array(list(silent)), list(silent.values())))
    late = np.flatnonzero(learning.late_starters(layer.index))
    if len(late):
        began = learning.began(layer.index)[late]
        entries.append(_entry(Standing.LATE_STARTER, layer, late, [int(data.records[at]) for at in began]))
    if data.records_filters("update_ratio") and len(regular) >= MOVING_RECORDS:
        first = int(regular[-MOVING_RECORDS])
        last = data.reader.read_filters("update_ratio", layer.filter_rows, slice(first, len(data.records)))
        moving = np.flatnonzero(find_moving(last[:, regular[-MOVING_RECORDS:] - first]))
        if len(moving) and is_brief:
            entries.append(_entry(Standing.MOVING, layer, moving, [None] * len(moving)))
        elif len(moving):
            ratios, iterations = _of_run(data, "update_ratio", layer, regular)
            entries.append(_entry(Standing.MOVING, layer, moving, moving_since(ratios, moving, iterations)))
    return entries


def _layers(data: RunData, regular: IntArray) -> list[StateEntry]:
    if not (data.records_layers("gradients", "norm2") and data.records_layers("updates", "norm2") and len(regular)):
        return []
    gradients, updates = (data.layers(source, "norm2")[:, regular] for source in ("gradients", "updates"))
    found = layers_without(gradients, updates, data.records[regular])
    layers = data.structure.layers
    frozen = () if data.structure.trained is None else data.structure.trained.frozen
    for index in set(frozen) & found.keys():
        if found[index][0] == Standing.NO_GRADIENT:
            found[index] = (Standing.UNTRAINED, None)
    return [
        StateEntry(Standing(how), layers[index].name, (), (since,), layers[index].filters)
        for index, (how, since) in found.items()
    ]


def _of_run(data: RunData, statistic: str, layer: Layer, regular: IntArray) -> tuple[FloatArray, IntArray]:
    """Return a statistic of a layer at every record; in a long run, at one record per bin."""
    if data.is_long:
        return data.filters_sample(statistic, layer.index), data.sampled_records()
    values = data.filters_once(statistic, layer.index)
    if len(regular) == values.shape[1]:
        return values, data.records
    return values[:, regular], data.records[regular]


def _entry(standing: Standing, layer: Layer, filters: IntArray, since: list[int | None]) -> StateEntry:
    return StateEntry(standing, layer.name, tuple(filters.tolist()), tuple(since), layer.filters)


def _missing(data: RunData, records: int) -> tuple[str, ...]:
    lacking = []
    if not data.records_filters("gradient_norm", "update_norm"):
        lacking.append("dead filters could not be told: gradients of filters were not recorded")
    elif records < DEAD_RECORDS:
        lacking.append(f"dead filters could not be told: {counted(records, 'record')}, they need {DEAD_RECORDS}")
    if not data.records_filters("update_ratio"):
        lacking.append("moving filters and late starters could not be told: updates of filters were not recorded")
    elif records < MOVING_RECORDS:
        lacking.append(f"moving filters could not be told: {counted(records, 'record')}, they need {MOVING_RECORDS}")
    if not (data.records_layers("gradients", "norm2") and data.records_layers("updates", "norm2")):
        lacking.append("layers that do not learn could not be told: their gradients or updates were not recorded")
    return tuple(lacking)
