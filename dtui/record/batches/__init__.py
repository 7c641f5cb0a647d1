"""Knows which samples of the data set went into each update."""
