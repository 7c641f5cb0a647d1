"""What a run holds and what its files and arrays are called."""
