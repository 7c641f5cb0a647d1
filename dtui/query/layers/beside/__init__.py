"""Answers for the rows that stand beside the filters: normalisation layers, other parameters, adapters, heads."""
