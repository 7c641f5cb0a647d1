"""The flight recorder: every few iterations three norms of each filter, kept around what stands out."""
