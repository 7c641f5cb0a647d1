"""The inner screens of Validation, a module each pane: gallery, one image, confusion matrix."""
