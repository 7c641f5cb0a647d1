"""Panes of several runs: the list, and two beside each other."""
