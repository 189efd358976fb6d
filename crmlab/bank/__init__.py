"""The way in: the data dictionary, and the extracts that are read by it."""
