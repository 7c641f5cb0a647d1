"""`python -m dtui`: the same as the command `dtui`."""

from __future__ import annotations

import sys

from dtui.cli import main

if __name__ == "__main__":
    sys.exit(main())
