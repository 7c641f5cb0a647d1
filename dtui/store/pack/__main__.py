"""The entry point of `python -m dtui.store.pack`."""

from dtui.store.pack.worker import main

raise SystemExit(main())
