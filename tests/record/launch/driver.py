"""Runs several scripts in processes of their own, forked after torch was imported once, which is most of their time.

Started with the folder of `dtui run` first on PYTHONPATH, as `dtui run` does it, and the path of a list of cases.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import runpy
import sys
import traceback
from pathlib import Path


def main() -> None:
    folder = Path(sys.argv[1])
    sys.modules["numba"] = None  # type: ignore[assignment]  # compiling takes seconds, and is tested elsewhere
    os.environ.pop("DTUI_RUN")
    import lightning  # noqa: F401 - what takes seconds to import is imported once
    import torch._dynamo
    import transformers.trainer  # noqa: F401

    import dtui.record.launch.session  # noqa: F401
    from dtui.store.write.background_compactor import Compactor

    torch.set_num_threads(1)
    Compactor._spawn = lambda self, *options: None  # type: ignore[method-assign]
    gc.freeze()
    codes = {}
    for name, case in json.loads((folder / "cases.json").read_text()).items():
        children = {}
        for rank, environment in enumerate(case["processes"]):
            child = os.fork()
            if not child:
                begin(folder / f"{name}.{rank}", case["words"], environment)
                return
            children[child] = rank
        for child in children:
            codes[f"{name}.{children[child]}"] = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    (folder / "codes.json").write_text(json.dumps(codes))


def begin(out: Path, words: list[str], environment: dict[str, str]) -> None:
    """Become a script, with all that happens at Python's exit."""
    for number, ending in ((1, "out"), (2, "err")):
        file = os.open(f"{out}.{ending}", os.O_WRONLY | os.O_CREAT)
        os.dup2(file, number)
    os.environ.update(environment)
    sys.path[0] = str(Path(words[0]).parent)
    sys.argv = words
    code: object = 0
    try:
        runpy.run_path(words[0], run_name="__main__")
    except SystemExit as end:
        code = end.code
    except BaseException:
        traceback.print_exc()
        code = 1
    atexit._run_exitfuncs()
    sys.stdout.flush(), sys.stderr.flush()
    os._exit(int(code or 0))  # taking all modules down takes a second


if __name__ == "__main__":
    main()
