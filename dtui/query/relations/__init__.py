"""Answers questions on the relations between filters, classes, images and iterations."""
