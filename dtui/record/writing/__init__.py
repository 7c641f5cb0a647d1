"""The thread that writes, what keeps failures away from the training, and the ends of a process."""
