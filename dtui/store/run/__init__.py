"""The files beside the frames: who records a run, how it stands, what people decided."""
