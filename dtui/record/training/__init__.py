"""The network and its training as they are: layers, updates, other processes, values that are logged."""
