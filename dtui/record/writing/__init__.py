"""Holds the writer's thread, the guard that keeps failures from the training, and the handling of process ends."""
