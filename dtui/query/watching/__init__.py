"""Follows runs and tells what somebody must hear of, each thing once."""
