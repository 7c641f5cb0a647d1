"""What incidents are made of: detectors that go through a run record by record, and keep only what they need."""
