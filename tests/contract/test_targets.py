"""Commands that write: pipes, devices, links and standard output are written to, never replaced."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from dtui.query import open_run
from dtui.store.format.schema import PACKED_SUFFIX
from tests.unit.test_output import reader_of

REPORT = ["report", "--section", "anomalies"]


def dtui(*words: object, **options: object) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "dtui", *map(str, words)]
    return subprocess.run(command, capture_output=True, timeout=120, check=False, **options)  # type: ignore[call-overload]


def test_a_report_goes_to_standard_output_alone(small_run: Path, tmp_path: Path) -> None:
    result = dtui(*REPORT, small_run, "-o", "-", cwd=tmp_path)
    assert (result.returncode, result.stderr) == (0, b"")
    assert result.stdout.startswith(b"<!doctype html>")
    assert result.stdout.rstrip().endswith(b"</html>")
    printed = dtui(*REPORT, small_run, "-o", "-", "--format", "pdf", cwd=tmp_path)
    assert (printed.returncode, printed.stderr) == (0, b"")
    assert printed.stdout.startswith(b"%PDF-")
    assert printed.stdout.rstrip().endswith(b"%%EOF")
    text = dtui(*REPORT, small_run, "-o", "-", "--format", "text", cwd=tmp_path)
    assert text.stdout.decode().splitlines()[1].startswith("=====")
    assert not list(tmp_path.iterdir())


def test_a_report_keeps_pipes_and_links(small_run: Path, tmp_path: Path) -> None:
    pipe, link = tmp_path / "pipe", tmp_path / "link.html"
    os.mkfifo(pipe)
    link.symlink_to("real.html")
    thread, read = reader_of(pipe)
    assert dtui(*REPORT, small_run, "-o", pipe).returncode == 0
    thread.join(60)
    assert read[0].startswith(b"<!doctype html>")
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert dtui(*REPORT, small_run, "-o", link).returncode == 0
    assert link.is_symlink()
    written = (tmp_path / "real.html").read_text(encoding="utf-8")
    without, count = re.subn(r'(?s)<div class="since"><h2>First report of this run</h2>.*?</div>\n', "", written)
    assert (without.encode(), count) == (read[0], 1), "a pipe remembers no report before it"
    assert (tmp_path / ".real.html.since.json").exists()


def test_a_packed_run_goes_through_standard_output(small_run: Path, tmp_path: Path) -> None:
    whole = tmp_path / f"whole{PACKED_SUFFIX}"
    assert dtui("pack", small_run, whole).returncode == 0
    piped = dtui("pack", small_run, "-", cwd=tmp_path)
    assert (piped.returncode, piped.stderr) == (0, b"")
    assert piped.stdout == whole.read_bytes()
    assert list(tmp_path.iterdir()) == [whole]
    refused = dtui("pack", small_run, "-", "--json")
    assert refused.returncode == 2
    assert b"both the packed run and --json want standard output" in refused.stderr


def test_a_packed_run_keeps_pipes_and_links(small_run: Path, tmp_path: Path) -> None:
    pipe, link, real = (tmp_path / f"{name}{PACKED_SUFFIX}" for name in ("pipe", "link", "real"))
    os.mkfifo(pipe)
    real.write_bytes(b"old")
    link.symlink_to(real.name)
    thread, read = reader_of(pipe)
    assert dtui("pack", small_run, pipe).returncode == 0
    thread.join(60)
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert dtui("pack", small_run, link).returncode == 2
    assert real.read_bytes() == b"old"
    assert dtui("pack", small_run, link, "--force").returncode == 0
    assert link.is_symlink()
    assert real.read_bytes() == read[0]
    with open_run(link) as query:
        assert query.info().records


def test_a_device_stays_a_device(small_run: Path, tmp_path: Path) -> None:
    null = tmp_path / f"null{PACKED_SUFFIX}"
    try:
        os.mknod(null, stat.S_IFCHR | 0o666, os.makedev(1, 3))
    except PermissionError:
        pytest.skip("no right to make a device here")
    for command in ([*REPORT, small_run, "-o", null], ["pack", small_run, null], ["pack", small_run, null, "--force"]):
        result = dtui(*command)
        assert result.returncode == 0 or b"Permission denied" in result.stderr
        assert stat.S_ISCHR(null.stat().st_mode)
