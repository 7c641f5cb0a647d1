"""The entry point of `python -m dtui.store.compact`."""

from dtui.store.compact.worker import main

raise SystemExit(main())
