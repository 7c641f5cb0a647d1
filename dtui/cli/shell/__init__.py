"""How dtui behaves on the command line: progress, configuration, completion, manual."""
