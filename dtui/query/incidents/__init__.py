"""Answers the incidents of a run and its state at the end: read once, kept, and continued while the run grows."""
