"""The commands that fill the screen: the one that opens runs, and the demo."""
