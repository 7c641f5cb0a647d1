"""A busy machine is no failing test: examples have no deadline here."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("dtui", deadline=None, max_examples=80)
settings.load_profile("dtui")
