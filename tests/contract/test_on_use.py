"""What is imported when it is first used: modules of questions, and the names of the model."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

import pytest

import dtui.model
from dtui.on_use import on_use


def test_a_module_is_imported_when_it_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "seldom").mkdir()
    for name, text in (("__init__", ""), ("once", "value = 7"), ("never", "value = 8")):
        (tmp_path / "seldom" / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    once, _ = on_use("seldom", "once", "never")
    assert "seldom.once" not in sys.modules
    assert once.value == 7
    assert "seldom.never" not in sys.modules
    with pytest.raises(AttributeError, match="other"):
        _ = once.other


def test_the_model_knows_the_home_of_every_name() -> None:
    homes = dtui.model._HOMES
    assert set(homes) == set(dtui.model.__all__)
    for name, home in homes.items():
        assert getattr(dtui.model, name) is getattr(import_module(f"dtui.model.{home}"), name)
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = dtui.model.nonsense
