"""Attention of queries with queries, keys with keys, values with values."""
