"""The layering rules: contracts checked by import-linter, and clean interpreters that show what is really imported."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

VIEWER_NEEDS_NONE_OF = {"torch", "scipy", "pandas", "matplotlib", "sklearn", "mlxtend"}
REPORTS_ONLY = {"jinja2", "altair", "vl_convert", "typst"}
TERMINAL_ONLY = {"textual", "rich", "plotext"}


def modules_after(code: str, *arguments: str) -> set[str]:
    """Return the top-level modules that a fresh interpreter has imported after running `code`."""
    script = f"import sys\n{code}\nprint('\\n=imported', *{{name.partition('.')[0] for name in sys.modules}})"
    result = subprocess.run(
        [sys.executable, "-c", script, *arguments], capture_output=True, text=True, timeout=120, check=True
    )
    return set(result.stdout.rpartition("=imported")[2].split())


@pytest.mark.parametrize(
    ("code", "never"),
    [
        ("import dtui", VIEWER_NEEDS_NONE_OF | REPORTS_ONLY | TERMINAL_ONLY | {"numpy", "tables", "PIL"}),
        ("import dtui.cli.entry", VIEWER_NEEDS_NONE_OF | REPORTS_ONLY | TERMINAL_ONLY | {"numpy", "tables", "PIL"}),
        ("import dtui.tui, dtui.tui.app", VIEWER_NEEDS_NONE_OF | REPORTS_ONLY | {"tables", "plotext"}),
        (
            "import dtui.tui.renderables.panes.layers.tree",
            VIEWER_NEEDS_NONE_OF | REPORTS_ONLY | {"textual", "rich", "tables"},
        ),
        ("import dtui.reports.build", VIEWER_NEEDS_NONE_OF | TERMINAL_ONLY),
        ("import dtui.query", VIEWER_NEEDS_NONE_OF | REPORTS_ONLY | TERMINAL_ONLY),
        ("import dtui.store", VIEWER_NEEDS_NONE_OF | REPORTS_ONLY | TERMINAL_ONLY),
        ("import dtui; dtui.Recorder", REPORTS_ONLY | TERMINAL_ONLY | {"pandas", "matplotlib", "sklearn", "mlxtend"}),
    ],
)
def test_a_clean_interpreter_imports_only_what_it_needs(code: str, never: set[str]) -> None:
    assert not modules_after(code) & never


@pytest.mark.parametrize("command", ["info", "anomalies", "check"])
def test_reading_commands_import_neither_torch_nor_a_screen(command: str, small_run: Path) -> None:
    code = "from dtui.cli import main; main(sys.argv[1:])"
    imported = modules_after(code, command, str(small_run))
    assert "numpy" in imported  # the command did read the run
    assert not imported & (VIEWER_NEEDS_NONE_OF | REPORTS_ONLY | TERMINAL_ONLY | {"tables"})


SELDOM = {
    *("dataclasses", "inspect", "ast", "copy", "subprocess", "tempfile", "traceback", "difflib"),
    *("json", "datetime", "random", "signal", "numpy"),
}
"""Of the standard library, but for NumPy: what a command line is read without."""


@pytest.mark.parametrize("shown", ["--version", "--help"])
def test_what_is_only_printed_imports_next_to_nothing(shown: str) -> None:
    code = "from dtui.cli import main\ntry: main(sys.argv[1:])\nexcept SystemExit: pass"
    assert not modules_after(code, shown) & SELDOM


def test_a_report_in_plain_text_draws_nothing(small_run: Path, tmp_path: Path) -> None:
    """PyTables only writes down what took long to find, as anything does on a busy computer."""
    never = "from dtui.query.incidents import walk; walk.WORTH_KEEPING_SECONDS = float('inf')"
    code = f"{never}; from dtui.cli import main; main(sys.argv[1:])"
    imported = modules_after(code, "report", str(small_run), "-o", str(tmp_path / "night.txt"))
    assert "validation error" in (tmp_path / "night.txt").read_text()
    assert not sorted(imported & (VIEWER_NEEDS_NONE_OF | TERMINAL_ONLY | {"tables", "altair", "vl_convert", "typst"}))


def test_a_recorder_without_torch_names_the_extra() -> None:
    code = "sys.modules['torch'] = None; import dtui\ntry: dtui.Recorder\nexcept ImportError as e: print(repr(e))"
    result = subprocess.run(
        [sys.executable, "-c", f"import sys; {code}"], capture_output=True, text=True, timeout=120, check=True
    )
    assert "MissingExtraError('dtui.Recorder: PyTorch is not installed; install dtui with its extra" in result.stdout


def test_help_imports_next_to_nothing() -> None:
    code = "from dtui.cli import main\ntry: main(['--help'])\nexcept SystemExit: pass"
    assert not modules_after(code) & (VIEWER_NEEDS_NONE_OF | REPORTS_ONLY | TERMINAL_ONLY | {"numpy", "tables", "PIL"})


def test_every_contract_holds(repository: Path) -> None:
    lint = "from importlinter.cli import lint_imports_command as run; run(['--no-logo', '--no-cache'])"
    result = subprocess.run(
        [sys.executable, "-c", lint], cwd=repository, capture_output=True, text=True, timeout=120, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr


def test_every_contract_has_its_reason_beside_it(repository: Path) -> None:
    text = (repository / "pyproject.toml").read_text()
    contracts = len(tomllib.loads(text)["tool"]["importlinter"]["contracts"])
    assert contracts >= 10
    assert len(re.findall(r"^\[\[tool\.importlinter\.contracts\]\]\n# \S", text, re.MULTILINE)) == contracts


def test_every_package_is_installed(repository: Path) -> None:
    listed = set(tomllib.loads((repository / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"])
    found = set()
    for folder, package in ((repository / "dtui", "dtui"), (repository / "reports", "dtui.reports")):
        for file in folder.rglob("*.py"):  # does not follow the link dtui/reports
            found.add(".".join((package, *file.parent.relative_to(folder).parts)))
    assert found == listed
