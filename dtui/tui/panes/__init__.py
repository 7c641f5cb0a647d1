"""What each pane shows, and what is under the mouse."""
