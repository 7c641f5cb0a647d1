"""Reads and writes the files beside the frames: the recording process, the run's status, people's decisions."""
