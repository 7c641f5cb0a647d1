"""One pure function a pane: from numbers and a size to cells."""
