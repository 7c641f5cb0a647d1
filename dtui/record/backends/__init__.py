"""The ways of reading the weights: by compiled kernels where they are to be had, else by torch."""
