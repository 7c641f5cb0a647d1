"""Activations in validations: where they are read, how they are counted, and the columns that they fill."""
