"""What differs in the settings of several runs."""

from __future__ import annotations

from dtui.dataclass_on_use import dataclass


@dataclass(frozen=True, slots=True)
class Difference:
    """A setting that is not the same in all runs.

    Attributes:
        kind: "hyper-parameter", "network", "data", "recording" or "version".
        name: Of the setting; data from outside.
        values: One a run, None where a run does not say; data from outside.
    """

    kind: str
    name: str
    values: tuple[str | None, ...]
