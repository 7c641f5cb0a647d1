"""Writes a report as HTML or text, and draws its charts."""
