"""Observes the network and its training: layers, updates, other processes, logged values."""
