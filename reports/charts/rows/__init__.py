"""Pictures of rows over time: the layers as horizon graphs, their filters as shades, and both as bytes."""
