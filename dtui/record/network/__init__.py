"""The network that is trained: its layers, its graph, and what of it is recorded."""
