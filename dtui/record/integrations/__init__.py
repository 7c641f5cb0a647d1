"""Callbacks that attach a Recorder to a training framework. Each module imports the framework in its name."""
