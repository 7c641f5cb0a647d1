"""Makes reports in a process of its own: one unit per line on stdin, one answer per line on stdout.

It ends with whoever started it, also if that was killed.
"""

from __future__ import annotations

import json
import os
import re
import signal
import sys
from pathlib import Path

from dtui.errors import DtuiError
from dtui.reports.nightly.making import make_report
from dtui.reports.nightly.places import STAGING_MARK, run_folder
from dtui.reports.nightly.plan import Unit
from dtui.reports.output.child import ends_with_starter
from dtui.reports.rendering import Renderer


def answer(unit: Unit, renderer: Renderer | None = None) -> str:
    """Make a report; return "" or, in one line, why there is none."""
    try:
        make_report(unit, renderer)
    except DtuiError as error:
        return _short(str(error), unit)
    except OSError as error:
        reason = error.strerror or str(error)
        return _short(f"{error.filename}: {reason}" if error.filename is not None else reason, unit)
    except Exception as error:  # noqa: BLE001  one bad run stops nothing
        return f"unexpected {type(error).__name__}: {error}; this is a bug in dtui, dtui report shows it too"
    return ""


def _short(reason: str, unit: Unit) -> str:
    """Return a reason without where run and report are: the run stands beside it, and a copy has the same reason."""
    folder = re.escape(str(run_folder(Path(unit.out), unit.run)))
    reason = re.sub(rf"{folder}/({re.escape(STAGING_MARK)}[^/]+/)?", "", reason)
    return reason.replace(f"{unit.path}/", "").removeprefix(f"{unit.path}: ").replace(unit.path, unit.run)


def main() -> None:
    """Answer until stdin ends; whatever libraries write to stdout goes to stderr."""
    if not ends_with_starter():
        return
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever started us decides
    answers = os.fdopen(os.dup(1), "w", encoding="ascii")
    os.dup2(2, 1)
    with Renderer(lambda _: None) as renderer:
        for line in sys.stdin.buffer:
            answers.write(json.dumps({"reason": answer(Unit(**json.loads(line)), renderer)}) + "\n")
            answers.flush()


if __name__ == "__main__":
    main()
