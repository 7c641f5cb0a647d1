"""The kinds of training that are recorded with three lines or fewer, each small and real."""
