"""What the command line can do is what README and --help say, and their examples work."""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import sys
from pathlib import Path

import pytest

from dtui.cli import main
from dtui.cli.command import Command
from dtui.cli.on_screen.opening import OPEN
from dtui.cli.parser import COMMANDS
from dtui.query import open_run
from tests.contract.readme import (
    DOCUMENTS,
    README,
    SCREENS,
    SCRIPTS,
    dtui_commands,
    keys_table,
    shell_lines,
    shown_keys_table,
)

ALL = (OPEN, *COMMANDS)
TEXT = README.read_text(encoding="utf-8")


def options_of(command: Command) -> set[str]:
    """Return the long options of a command."""
    actions = command.parser()._actions
    return {name for action in actions for name in action.option_strings if name.startswith("--")} - {"--help"}


def shown_in_examples(command: Command) -> set[str]:
    words = {word for line, _ in command.examples for word in shlex.split(line)}
    own = {word for line in dtui_commands() if line[:1] == [command.name] for word in line}
    return words | own


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_every_command_stands_in_the_readme(command: Command) -> None:
    assert f"`dtui {command.name} " in TEXT


@pytest.mark.parametrize("command", ALL, ids=lambda command: command.name or "open")
def test_every_option_has_an_example(command: Command) -> None:
    screen = options_of(OPEN) - {"--version"} if command.name == "demo" else set()
    assert options_of(command) - screen <= shown_in_examples(command)


@pytest.mark.parametrize("command", ALL, ids=lambda command: command.name or "open")
def test_every_example_is_understood(command: Command) -> None:
    for line, _ in command.examples:
        program, *words = shlex.split(line)
        assert program == "dtui"
        if words == ["--version"]:
            continue
        names = [other.name for other in COMMANDS if words and words[0] == other.name]
        assert names == ([command.name] if command.name else [])
        options = command.parser().parse_args(words[1:] if command.name else words)
        assert isinstance(options, argparse.Namespace)


def test_help_lists_every_command_and_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["--help"])
    assert stop.value.code == 0
    shown = capsys.readouterr().out
    assert all(f"dtui {command.name} " in shown for command in COMMANDS)
    assert all(re.search(rf"\b{code} ", shown) for code in (0, 1, 2, 3, 130))


def test_the_documents_name_every_screen_option() -> None:
    wanted = {name for action in OPEN.parser()._actions for name in action.option_strings if name.startswith("--")}
    told = "".join(document.read_text(encoding="utf-8") for document in (README, SCREENS, SCRIPTS))
    assert wanted - {"--help", "--version"} <= set(re.findall(r"--[a-z-]+", told))


def test_the_readme_shows_the_keys_of_the_registry() -> None:
    assert shown_keys_table() == keys_table(), "run python -m tests.contract.readme"


def test_the_readme_has_two_commands_that_start_from_nothing() -> None:
    first, second = (line for line in shell_lines() if line.startswith("python3 -m venv"))
    assert first.endswith(".venv/bin/dtui sample_runs/mnist-faults.dtui")
    assert second in TEXT.partition("<!-- test command -->")[2].splitlines()[2]
    assert second.count(" && ") == 2  # environment, installation, tests: .ci/run runs these three


@pytest.mark.parametrize("words", [pytest.param(words, id=" ".join(words)) for words in dtui_commands()])
def test_the_readmes_commands_work(
    words: list[str], repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small_run: Path
) -> None:
    """Each runs as printed, in a folder that holds sample_runs and the runs that the README speaks of."""
    (tmp_path / "sample_runs").symlink_to(repository / "sample_runs")
    (tmp_path / "runs").mkdir()
    if words[0] != "synth":
        for name in ("nightly", "small"):
            (tmp_path / "runs" / f"{name}.dtui").symlink_to(small_run)
    (tmp_path / "train.py").touch()
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.chdir(tmp_path)
    assert main(words) in ((0, 1) if "--fail-on" in words or words[0] == "nightly" else (0,))


def test_the_readmes_training_loop_records_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The code block runs as printed; what it leaves to the reader is made as small as it can be."""
    import torch
    from torch import nn
    from torch.utils.data import DataLoader, TensorDataset

    def validate(model: nn.Module, loader: DataLoader[tuple[torch.Tensor, ...]]) -> float:
        with torch.no_grad():
            for images, _ in loader:
                model(images)
        return 0.5

    (code,) = re.findall(r"^```python\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
    data = TensorDataset(torch.randn(200, 1, 4, 4), torch.arange(200) % 2)
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(8, 2))
    names = {
        "model": model,
        "optimizer": torch.optim.SGD(model.parameters(), lr=0.1),
        "criterion": nn.CrossEntropyLoss(),
        "epochs": 2,
        "class_names": ("cat", "dog"),
        "train_loader": DataLoader(data, batch_size=1, shuffle=True),
        "validation_loader": DataLoader(data, batch_size=50),
        "validate": validate,
    }
    monkeypatch.chdir(tmp_path)
    exec(code, names)
    with open_run("runs/resnet50") as query:
        info = query.info()
        accuracies = [query.curves_at(iteration).get("accuracy") for iteration in (198, 199)]
    assert (info.status, info.records, info.validations, info.last_iteration) == ("done", 5, 2, 399)
    assert accuracies == [None, 0.5]
    assert len(code.splitlines()) <= 17  # fifteen lines and two blank ones


def headings(document: Path) -> set[str]:
    """Return what a link can name behind `#` in a document, as GitHub makes it of the headings."""
    text = re.sub(r"^```.*?^```", "", document.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    lines = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", line.lower()).replace(" ", "-") for line in lines}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: str(document.relative_to(README.parent)))
def test_links_and_pictures_of_the_documents_exist(document: Path) -> None:
    for link in re.findall(r"\]\(([^)]+)\)", document.read_text(encoding="utf-8").replace("\n", " ")):
        target, _, heading = link.partition("#")
        if not target.startswith("https://"):
            place = document.parent / target if target else document
            assert place.is_file(), link
            assert not heading or heading in headings(place), link


def test_the_documents_name_only_files_that_exist(repository: Path) -> None:
    named = re.findall(r"`((?:dtui|reports|tests|sample_runs)/[\w./-]*)`", (repository / "CONTRIBUTING.md").read_text())
    assert named
    assert [path for path in named if not (repository / path).exists()] == []


def test_the_recorder_is_called_recorder_everywhere() -> None:
    root = README.parent
    files = [*root.glob("*.md"), *(root / "dtui").rglob("*.py"), *(root / "dtui").rglob("*.md")]
    found = [
        f"{path.relative_to(root)}:{number}"
        for path in files
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if re.search(r"\brec\b", line)
    ]
    assert len(files) > 100
    assert found == []


JSON_COMMANDS = {
    "info RUN": "info {run}",
    "incidents RUN": "incidents {run}",
    "report RUN… -o OUT": "report {run} -o {out}/a.txt",
    "state RUN": "state {run}",
    "anomalies RUN": "anomalies {run}",
    "advise RUN": "advise {run}",
    "correlation RUN": "correlation {run}",
    "images RUN --list LIST": "images {run} --list hard",
    "confusion RUN --at ITER": "confusion {run} --at 200",
    "compare A B…": "compare {run} {run}",
    "nightly DIR -o OUT": "nightly {run}/.. -o {out}/night --format text",
}


@pytest.mark.parametrize("shown", JSON_COMMANDS)
def test_every_key_of_the_json_is_documented(
    shown: str, small_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Down to what stands in a list of a document: a script's author has nothing else."""
    main([*JSON_COMMANDS[shown].format(run=small_run, out=tmp_path).split(), "--json"])
    answer = json.loads(capsys.readouterr().out)
    documents = [answer] if isinstance(answer, dict) else answer[:1]
    documents += [one for document in documents for one in document.get("runs", ())[:1] if isinstance(one, dict)]
    text = SCRIPTS.read_text(encoding="utf-8")
    (told,) = re.findall(rf"^- `dtui {re.escape(shown)} --json`.*?(?=^- |^#)", text, re.MULTILINE | re.DOTALL)
    assert documents
    assert [key for document in documents for key in document if f"`{key}`" not in told] == []
