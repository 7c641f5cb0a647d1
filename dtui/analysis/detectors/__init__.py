"""What looks for trouble in a run: one detector a file, found by `registry.detectors`."""
