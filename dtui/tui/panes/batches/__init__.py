"""The panes of a batch: its samples, and where those that stand out were trained on."""
