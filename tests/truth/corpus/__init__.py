"""Real trainings with faults made on purpose, and what of each fault could be seen: how often dtui is right.

`python -m tests.truth.corpus make` makes the runs, `python -m tests.truth.corpus judge` prints the table.
"""
