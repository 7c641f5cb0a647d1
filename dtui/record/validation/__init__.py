"""Records one validation: which images were seen, and how the network judged them."""
