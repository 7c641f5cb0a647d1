"""What our hooks of updates leave behind: nothing."""

from __future__ import annotations

import gc
import subprocess
import sys
import weakref
from pathlib import Path

import torch

from dtui.record.network.step_hooks import StepHooks, _is_any_in_step


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


WITHOUT_OPTIMIZER = """
import sys
import torch
import dtui

net = torch.nn.Linear(4, 2)
with dtui.Recorder(sys.argv[1], net, every=1, fused=False) as recorder:
    for _ in range(2):
        net(torch.ones(1, 4)).sum().backward()
        with torch.no_grad():
            net.weight -= 0.1 * net.weight.grad
        recorder.step()
print("torch._dynamo" in sys.modules)
"""


def test_a_training_without_an_optimizer_does_not_wait_for_the_compiler(tmp_path: Path) -> None:
    """Importing it takes seconds; an optimizer of torch imports it when it is made."""
    command = [sys.executable, "-c", WITHOUT_OPTIMIZER, str(tmp_path / "run")]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (result.stdout, result.stderr) == ("False\n", "")


def test_what_is_called_at_an_update_is_not_compiled_with_it() -> None:
    net, seen = torch.nn.Linear(2, 2), list[bool]()
    optimizer = torch.optim.SGD(net.parameters(), 0.1)
    hooks = StepHooks(optimizer.register_step_post_hook)
    leave = hooks.add(lambda *_: seen.append(torch.compiler.is_compiling()))

    @torch.compile(backend="eager")
    def update() -> None:
        optimizer.step()

    for _ in range(3):
        net(torch.ones(1, 2)).sum().backward()
        update()
    leave()
    assert seen == [False, False, False]
