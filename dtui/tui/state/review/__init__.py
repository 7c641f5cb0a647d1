"""The review: steps from entry to entry, and decisions on them."""
