"""Answers how often the images of classes were wrong."""
