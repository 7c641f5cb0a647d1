"""Parts of the two screens about incidents × layers."""
