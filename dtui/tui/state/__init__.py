"""Holds what the user looks at, as frozen values, and how each key changes it."""
