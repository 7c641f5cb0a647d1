"""The wheel that pip builds holds everything that runs."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path


def test_the_wheel_holds_every_file_of_the_package(repository: Path, tmp_path: Path) -> None:
    source = tmp_path / "source"
    shutil.copytree(
        repository,
        source,
        symlinks=True,
        ignore=shutil.ignore_patterns(
            ".git", ".venv", "venv", "sample_runs", ".*_cache", "__pycache__", "build", "*.egg-info"
        ),
    )
    for name in ("make.py", "a.dtui/run.json", "a.h5"):  # in place of the large ones
        file = source / "sample_runs" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--no-deps",
        "--no-build-isolation",
        "--no-index",
        "-w",
        "wheels",
        ".",
    ]
    result = subprocess.run([*command[:-1], str(source)], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    (wheel,) = (tmp_path / "wheels").glob("dtui-*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    expected = {"dtui/py.typed"}
    for folder, target in (("dtui", "dtui"), ("reports", "dtui/reports")):
        for file in (source / folder).rglob("*"):
            if file.is_file() and "__pycache__" not in file.parts and file.suffix != ".md":
                expected.add(f"{target}/{file.relative_to(source / folder)}")
    assert expected <= names
    assert not [name for name in names if name.startswith(("tests/", "reports/", "sample_runs/"))]
