"""The panes, one module each, and the table of the screens that show them."""
