"""The panes, a module each, and the table of the screens that they stand on."""
