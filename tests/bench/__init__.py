"""Benchmarks: each compares ours with a floor or a peer measured in the same run. `python -m tests.bench` runs them."""
