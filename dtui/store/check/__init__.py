"""`dtui check`: is every file of a run fine, and what does a damaged one cost."""
