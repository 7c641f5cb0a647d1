"""The terminal: what it can show, its input and output, its modes, and how it is restored on every exit."""
