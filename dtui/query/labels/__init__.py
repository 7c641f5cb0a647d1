"""Holds what the images were judged: read once, kept as bits and, where asked for, as labels."""
