"""What our hooks of updates leave behind: nothing."""

from __future__ import annotations

import gc
import weakref

from dtui.record.network.step_hooks import _is_any_in_step


class Held:
    """Something that a caller holds."""


def test_whoever_asks_for_updates_is_not_kept_alive() -> None:
    """A function that holds its own frame keeps all that its callers hold until the next search for garbage."""

    def ask() -> weakref.ref[Held]:
        held = Held()
        assert not _is_any_in_step()
        return weakref.ref(held)

    gc.disable()
    try:
        assert ask()() is None
    finally:
        gc.enable()
