"""Callbacks that attach a Recorder to a training framework; each module needs the framework that it names."""
