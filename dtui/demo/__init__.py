"""A small real training that is recorded while it runs: what `dtui demo` shows."""
