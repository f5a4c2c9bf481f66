"""The interpreter as it comes. Where one of these fails, Triton has mended it, and the guard can lose that part."""

from __future__ import annotations

import pytest
import torch
from small_kernels import copy, product, twice_rounded


@pytest.fixture(autouse=True)
def guard() -> None:
    """In place of the guard: nothing."""


def test_reads_outside_go_unnoticed() -> None:
    target = torch.zeros(16)
    copy[(1,)](torch.arange(32.0)[:9], target, 16, BLOCK=16)
    assert target[15] == 15


def test_bfloat16_products_are_wrong() -> None:
    a, b = torch.randn(2, 16, 16).bfloat16()
    out = torch.zeros(16, 16)
    product[(1,)](a, b, out, BLOCK=16)
    assert not torch.allclose(out, a.float() @ b.float(), rtol=0.1, atol=0.1)


def test_bfloat16_is_truncated() -> None:
    target = torch.zeros(16, dtype=torch.bfloat16)
    twice_rounded[(1,)](torch.full((16,), 1 + 3 * 2**-8), target, BLOCK=16)
    assert target[0] == 2 + 2**-6  # 2 + 2^-5 is the nearest even
