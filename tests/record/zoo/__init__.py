"""Trains public model constructors with and without the recorder: `python -m tests.record.zoo`."""
