"""The flight recorder: measures three norms per filter every few iterations, and keeps them around triggers."""
