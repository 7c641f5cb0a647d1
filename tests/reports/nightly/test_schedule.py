"""What `--print` prints is run as cron, systemd and SLURM run it, with paths that need quoting."""

from __future__ import annotations

import configparser
import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from dtui.cli import main
from dtui.errors import UsageError
from dtui.reports.nightly.schedule import KINDS, schedule
from tests.reports.nightly.runs import make_run

AWKWARD = 'tonight\'s 100% "runs" $HOME; x'
SBATCH = """#!/bin/sh
# A SLURM of one host: runs the tasks of an array one after the other; options win over those in the script.
array=
while [ "${1#-}" != "$1" ]; do
  case $1 in --array=*) array=${1#--array=} ;; esac
  shift
done
script=$1; shift
[ -n "$array" ] || array=$(sed -n 's/^#SBATCH --array=1-\\([0-9]*\\).*/\\1/p' "$script")
for task in $(seq "$array"); do
  export SLURM_ARRAY_TASK_ID=$task SLURM_ARRAY_TASK_COUNT=$array SLURM_ARRAY_TASK_MIN=1 SLURM_ARRAY_TASK_MAX=$array
  sh "$script" "$@"
  echo "task $task of $array $* $?" >> "$SBATCH_LOG"
done
echo '4711;cluster'
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run that has trouble."""
    folder = tmp_path_factory.mktemp("schedule") / AWKWARD
    make_run(folder / "runs" / "a", troubled=True)
    return folder


def printed(kind: str, place: Path, capsys: pytest.CaptureFixture[str]) -> str:
    words = ["--format", "text", "--memory-limit", "1G", "--print", kind]
    assert main(["nightly", str(place / "runs"), "-o", str(place / "night"), *words]) == 0
    return capsys.readouterr().out


def test_the_sbatch_script_makes_a_night(place: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    script = printed("sbatch", place, capsys)
    assert "--array=1-16%8" in script
    assert "--mem=2G" in script  # of the report, and 1 GiB more
    (tmp_path / "nightly.sh").write_text(script.replace("1-16%8", "1-2%2"))  # what a small cluster would write
    fake = tmp_path / "bin" / "sbatch"
    fake.parent.mkdir()
    fake.write_text(SBATCH)
    fake.chmod(0o755)
    submit = re.search(r"^#   (job=.*)$", script, re.MULTILINE)
    assert submit is not None
    env = {**os.environ, "PATH": f"{fake.parent}:{os.environ['PATH']}", "SBATCH_LOG": str(tmp_path / "log")}
    result = subprocess.run(["sh", "-c", submit[1]], cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    told = ["task 1 of 2  0", "task 2 of 2  0", "task 1 of 1 --merge 1"]
    assert (tmp_path / "log").read_text().splitlines() == told, result.stderr
    assert (place / "night" / "index.html").is_file()
    assert (place / "night" / "runs" / "a" / "report.txt").is_file()


def test_the_cron_line_runs_as_cron_runs_it(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (line,) = [line for line in printed("cron", place, capsys).splitlines() if not line.startswith("#")]
    *when, command = line.split(maxsplit=5)
    assert all(re.fullmatch(r"[0-9*]+", word) for word in when)
    assert command.endswith(" --format text --memory-limit 1024M")
    assert len(when) == 5
    assert not re.search(r"(?<!\\)%", command)  # cron would end the line there
    command = command.replace("\\%", "%")
    result = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (1, "")
    assert "1 run: 1 to look at" in result.stdout


def test_the_systemd_units_run_as_systemd_runs_them(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    parts = re.split(r"^# --- (\S+)\n", printed("systemd", place, capsys), flags=re.MULTILINE)
    units = dict(zip(parts[1::2], parts[2::2], strict=True))
    assert set(units) == {"dtui-nightly.service", "dtui-nightly.timer"}
    read = {name: configparser.RawConfigParser() for name in units}
    for name, text in units.items():
        read[name].read_string(text)
    assert read["dtui-nightly.timer"]["Timer"]["OnCalendar"] == "*-*-* 04:17"
    service = read["dtui-nightly.service"]["Service"]
    words = [word.replace("%%", "%").replace("$$", "$") for word in shlex.split(service["ExecStart"])]
    result = subprocess.run([*words, "--quiet"], capture_output=True, text=True, check=False)
    assert (str(result.returncode), result.stdout, result.stderr) == (service["SuccessExitStatus"], "", "")


def test_what_is_asked_for_is_in_the_line(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--keep", "3", "--quiet", "--json", "--print", "cron"]
    assert main(["nightly", str(place / "runs"), "-o", "night", *words]) == 0
    assert capsys.readouterr().out.rstrip().endswith(" --keep 3 --quiet --json")


@pytest.mark.parametrize("kind", KINDS)
def test_a_path_that_no_such_file_can_hold_is_refused(kind: str) -> None:
    with pytest.raises(UsageError, match="cannot be printed"):
        schedule(kind, Path("a\n* * * * * rm"), Path("out"))
