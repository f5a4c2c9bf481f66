"""Triton where it is installed; else a stand-in with which the kernels' descriptions and host code can be read.

Launching cubins takes those, but not Triton.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

try:
    import triton
    import triton.language as tl
    from triton.runtime import JITFunction
except ImportError:

    class JITFunction:  # type: ignore[no-redef]
        """Without Triton there are none."""

    class _Missing:
        """What the modules use while they are imported; anything else says what is missing."""

        def jit(self, function: Callable[..., Any] | None = None, **options: Any) -> Any:
            return function or (lambda decorated: decorated)

        def constexpr(self, value: Any) -> Any:
            return value

        def __getattr__(self, name: str) -> Any:
            raise ImportError("triton is missing: pip install 'vocabseg[triton]'")

    triton = tl = _Missing()

__all__ = ["JITFunction", "tl", "triton"]
