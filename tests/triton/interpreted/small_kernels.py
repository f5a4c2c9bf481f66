"""Kernels that show what the interpreter gets wrong."""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def copy(source, target, n, BLOCK: tl.constexpr):
    """Reads BLOCK elements, whatever n is."""
    index = tl.arange(0, BLOCK)
    tl.store(target + index, tl.load(source + index), mask=index < n)


@triton.jit
def fill(target, BLOCK: tl.constexpr):
    tl.store(target + tl.arange(0, BLOCK), 1.0)


@triton.jit
def product(a, b, out, BLOCK: tl.constexpr):
    index = tl.arange(0, BLOCK)
    at = index[:, None] * BLOCK + index[None, :]
    tl.store(out + at, tl.dot(tl.load(a + at), tl.load(b + at)))


@triton.jit
def _twice(value):
    return value * 2


@triton.jit
def twice_rounded(source, target, BLOCK: tl.constexpr):
    index = tl.arange(0, BLOCK)
    tl.store(target + index, _twice(tl.load(source + index)).to(tl.bfloat16))
