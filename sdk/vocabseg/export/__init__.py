"""Build time: torch models to bundles, and bundles checked against torch.

``verification`` and what it needs (``engines``, ``parity``) import no torch; everything else does.
"""
