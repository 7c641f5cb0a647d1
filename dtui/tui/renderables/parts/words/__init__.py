"""Words and names that several panes show."""
