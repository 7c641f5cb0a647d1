"""What was found in a run, as a person reads it: the verdict on it, and the series that tell of an incident."""
