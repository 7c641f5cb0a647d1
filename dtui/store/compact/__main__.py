"""The entry point of `python -m dtui.store.compact`: a process that gives way to the training."""

import contextlib
import os

from dtui.store.compact.worker import main

with contextlib.suppress(OSError):
    os.nice(19)
raise SystemExit(main())
