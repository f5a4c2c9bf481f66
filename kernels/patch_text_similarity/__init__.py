"""Cosines of patch features and text embeddings."""
