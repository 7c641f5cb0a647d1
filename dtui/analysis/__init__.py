"""Numbers made of numbers: pure numpy, no files, no screens, nothing that knows what a run is."""
