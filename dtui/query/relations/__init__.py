"""Questions on how filters, classes, images and iterations belong together."""
