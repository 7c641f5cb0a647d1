"""Curves over the iterations, with what stands around them, as Altair charts."""
