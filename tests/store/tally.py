"""What tests and benchmarks did to runs, counted one by one, and which of it cost something."""

from __future__ import annotations

import traceback
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

_LONGEST = 2000


@dataclass
class Tally:
    """How much was done, of each kind, and what went wrong."""

    counts: Counter[str] = field(default_factory=Counter)
    """Such as a kind of process to how many were ended by SIGKILL, as the operating system tells."""
    failures: list[str] = field(default_factory=list)
    """One line each: how to see it again, and what was wrong."""

    @property
    def total(self) -> int:
        return self.counts.total()

    @property
    def fine(self) -> int:
        """How many cost nothing that they should not."""
        return self.total - len(self.failures)

    @contextmanager
    def verdict(self, again: str) -> Iterator[None]:
        """Note what fails inside, with how to see it again, and go on."""
        try:
            yield
        except Exception as error:
            where = traceback.extract_tb(error.__traceback__)[-1]
            place = f"{Path(where.filename).name}:{where.lineno}"
            line = " ".join(str(error).split())[:_LONGEST]
            self.failures.append(f"{again}: {type(error).__name__} at {place}: {line}")

    def __str__(self) -> str:
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(self.counts.items()))
        return "\n".join([f"{self.total}: {kinds}", *self.failures])
