"""From evidence to incidents: what belongs together, what caused it, and how it is told."""
