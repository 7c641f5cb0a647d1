"""What is unusual for a run, measured in what it does by itself."""
