"""What is asked about layers and modules, beside their series."""
