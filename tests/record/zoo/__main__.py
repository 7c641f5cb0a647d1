"""Trains public model constructors 20 steps with and without the recorder: `python -m tests.record.zoo --log FILE`.

The log has one JSON line a model, and a run that is begun again goes on after it. Models that cannot be built offline
are named with the reason, and do not count. The last lines say how many differ, have no layers, or are recorded by less
than half.
"""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

SECONDS, AT_ONCE, WANTED, LITTLE = 120, 8, 200, 0.5


def main(arguments: Sequence[str] | None = None) -> int:
    """Judge models in child processes until enough are judged; 0 where none differs and none fails."""
    parser = argparse.ArgumentParser(prog="python -m tests.record.zoo", description=__doc__.splitlines()[0])
    parser.add_argument("--log", type=Path, required=True, help="one JSON line a model; goes on where it ends")
    parser.add_argument("--count", type=int, default=WANTED, help="models to judge (default: 200)")
    parser.add_argument("names", nargs="*", metavar="MODEL", help="only these; they are judged in this process")
    options = parser.parse_args(arguments)
    if options.names:
        for line in _judged(options.names):
            with options.log.open("a") as log:
                log.write(line + "\n")
            print(line, flush=True)
        return 0
    from tests.record.zoo.public_models import public_models

    waiting = [one.name for one in public_models() if one.name not in {known["name"] for known in _read(options.log)}]
    while waiting and sum(not one["problem"] for one in _read(options.log)) < options.count:
        some, waiting = waiting[:AT_ONCE], waiting[AT_ONCE:]
        command = [sys.executable, "-W", "ignore", "-m", "tests.record.zoo", "--log", str(options.log), *some]
        ended = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
        known = {one["name"] for one in _read(options.log)}
        missing = [name for name in some if name not in known]
        if missing:  # the process died in the first of them
            end = (ended.stderr.strip().splitlines()[-1:] or [""])[0][:120]
            with options.log.open("a") as log:
                log.write(json.dumps({"name": missing[0], "problem": f"exit {ended.returncode}: {end}"}) + "\n")
            waiting = missing[1:] + waiting
    return _tell(_read(options.log))


def _read(log: Path) -> list[dict]:
    return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


def _judged(names: Sequence[str]) -> Iterator[str]:
    import torch
    import transformers

    from tests.record.zoo.public_models import CannotBuildError, build, public_models
    from tests.record.zoo.trained_twice import Judged, judge

    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    known = {one.name: one for one in public_models()}
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            judged = Judged(name)
            try:
                with _limited():
                    built = build(known[name])
            except CannotBuildError as error:
                judged.problem = f"not built: {error}"
            except TimeoutError:
                judged.problem = "not built: takes too long"
            else:
                try:
                    with _limited():
                        judged = judge(name, built, Path(folder))
                except Exception as error:
                    judged.problem = f"error: {type(error).__name__}: {error}"
            yield json.dumps(judged.as_json())


@contextmanager
def _limited() -> Iterator[None]:
    def late(*_: object) -> None:
        raise TimeoutError(f"{SECONDS} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def _tell(lines: list[dict]) -> int:
    judged = [one for one in lines if not one["problem"]]
    errors = [one for one in lines if one["problem"].startswith(("error", "exit"))]
    differing = [one for one in judged if not one["same"]]
    bare = [one for one in judged if not one["layers"]]
    little = [one for one in judged if one["share"] < LITTLE]
    for title, some in (("differ", differing), ("no layers", bare), ("covered below half", little), ("errors", errors)):
        print(f"{title}: {len(some)}")
        for one in some:
            print(f"  {one['name']}: {one['problem'] or round(one.get('share', 0), 2)} {one.get('others', '')}")
    left = [one for one in lines if one["problem"].startswith("not built")]
    print(f"judged: {len(judged)}, not built here: {len(left)}")
    return 1 if differing or bare or errors else 0


if __name__ == "__main__":
    sys.exit(main())
