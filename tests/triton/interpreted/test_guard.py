"""What the guard puts right, and what it catches. It is on in every interpreted test."""

from __future__ import annotations

import pytest
import torch
from small_kernels import copy, fill, product, twice_rounded
from triton.runtime.errors import InterpreterError


def test_reads_outside_are_caught() -> None:
    storage = torch.arange(32.0)
    copy[(1,)](storage, torch.zeros(9), 9, BLOCK=16)
    for source in (storage[:9], storage[23:], storage[:0]):
        with pytest.raises(InterpreterError, match="kernel copy reads .* lanes outside"):
            copy[(1,)](source, torch.zeros(9), 9, BLOCK=16)


def test_writes_outside_are_caught() -> None:
    storage = torch.zeros(32)
    with pytest.raises(InterpreterError, match="kernel fill writes 7 lanes outside"):
        fill[(1,)](storage[:9], BLOCK=16)
    assert (storage == 0).all()
    fill[(1,)](storage, BLOCK=16)
    assert storage.sum() == 16


def test_bfloat16_products() -> None:
    a, b = torch.randn(2, 16, 16).bfloat16()
    out = torch.zeros(16, 16)
    product[(1,)](a, b, out, BLOCK=16)
    torch.testing.assert_close(out, a.float() @ b.float())


def test_bfloat16_rounding() -> None:
    ties = torch.tensor([float("nan"), float("inf"), 1 + 2**-8, 1 + 3 * 2**-8])
    source = torch.cat([torch.randn(60), ties])
    target = torch.zeros(64, dtype=torch.bfloat16)
    twice_rounded[(1,)](source, target, BLOCK=64)
    torch.testing.assert_close(target, (2 * source).bfloat16(), rtol=0, atol=0, equal_nan=True)
