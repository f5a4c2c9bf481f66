"""Benchmarks: JSON with raw samples in, one table out. Run from the repository: ``python -m bench.latency``."""
