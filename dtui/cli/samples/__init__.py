"""The command on the samples of a training."""
