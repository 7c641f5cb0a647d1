"""What detectors of evidence are made of: some records at once, and values against those before them."""
