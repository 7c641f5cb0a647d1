"""The terminal itself: what it can show, its bytes in and out, its modes and every way out."""
