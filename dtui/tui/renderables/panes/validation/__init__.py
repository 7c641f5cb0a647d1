"""Pictures of the panes on the inner screens of Validation."""
