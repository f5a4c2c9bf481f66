"""Mean up-sampled features over masks."""
