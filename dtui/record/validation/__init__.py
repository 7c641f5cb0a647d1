"""One validation: which images came by, and how the network judged them."""
