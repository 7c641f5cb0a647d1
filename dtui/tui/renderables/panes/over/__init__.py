"""Pictures of what lies over the panes: help, and lists to choose from."""
