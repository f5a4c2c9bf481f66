"""Correlative attention as the last blocks of the methods have it."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from vocabseg import methods, ops
from vocabseg.clip.attention import correlation
from vocabseg.clip.transformer import Block

OP = "correlative_attention"
GRID = (5, 9)


@pytest.fixture
def block():
    torch.manual_seed(0)
    block = Block(width=48, heads=3, mlp_width=96, activation="quick_gelu", eps=1e-5).eval()
    torch.nn.init.normal_(block.attn.in_proj_weight, std=0.3)
    return block


@torch.no_grad()
@pytest.mark.parametrize(
    "method, settings",
    [
        (methods.get("sclip", residual=False), {"terms": ("qq", "kk")}),
        (methods.get("clearclip"), {"terms": ("qq",)}),
        (methods.get("naclip"), {"terms": ("kk",), "gaussian": (5.0, GRID)}),
        (methods.get("naclip", std=1.5), {"terms": ("kk",), "gaussian": (1.5, GRID)}),
        (methods.get("naclip", std=None), {"terms": ("kk",)}),
    ],
    ids=str,
)
def test_the_last_block_of_a_method(op, block, method, settings) -> None:
    tokens = torch.randn(2, 1 + GRID[0] * GRID[1], 48)
    attended = op(*block.qkv(tokens), **settings)
    assert attended.dtype == torch.float32
    expected = method.last_block(block, tokens, GRID)
    torch.testing.assert_close(block.attn.project(attended), expected, rtol=0, atol=1e-5)


@torch.no_grad()
def test_cliptrase(op) -> None:
    """Its last attention: the sum of three maps."""
    q, k, v = torch.randn(3, 2, 4, 50, 16)
    weights = correlation(q, q) + correlation(k, k) + correlation(v, v)
    torch.testing.assert_close(op(q, k, v, ("qq", "kk", "vv")), weights @ v, rtol=0, atol=1e-5)


@torch.no_grad()
def test_proxyclip(op) -> None:
    """One masked map for all heads, from features of another model: scores as a bias, q and k zero."""
    v = torch.randn(1, 4, 36, 16)
    unit = torch.nn.functional.normalize(torch.randn(36, 24), dim=-1)
    similarity = unit @ unit.T
    scores = 3.0 * (similarity - 1.2 * similarity.mean())
    scores = scores.masked_fill(scores < 0, -torch.inf)
    nothing = torch.zeros_like(v)
    result = op(nothing, nothing, v, ("qk",), bias=scores)
    torch.testing.assert_close(result, scores.softmax(-1) @ v, rtol=0, atol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("dtype, atol", [(torch.float16, 3e-3), (torch.bfloat16, 2e-2)])
def test_other_dtypes(op, dtype, atol) -> None:
    """On a GPU the weights are rounded to the same type before they meet the values, as flash attention does."""
    q, k, v = torch.randn(3, 2, 4, 50, 16).to(dtype)
    result = op(q, k, v)
    assert result.dtype == dtype
    expected = (correlation(q.float(), q.float()) + correlation(k.float(), k.float())) @ v.float()
    torch.testing.assert_close(result, expected.to(dtype), rtol=0, atol=atol)


def test_auto_takes_the_core() -> None:
    q, k, v = torch.randn(3, 1, 2, 5, 4)
    with ops.record() as used:
        ops.correlative_attention(q, k, v)
    assert used == ["correlative_attention/cpu"]
