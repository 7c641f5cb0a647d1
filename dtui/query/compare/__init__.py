"""Answers questions about several runs: what differs, where two part, and one row a run for a list of them."""
