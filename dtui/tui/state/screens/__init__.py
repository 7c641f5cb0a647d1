"""Which screens there are, and how one is divided among its panes."""
