"""From patch scores to a label per pixel."""
