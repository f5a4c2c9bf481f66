"""Clusters of patches by DBSCAN, and the up-sampled, median-filtered map of each."""
