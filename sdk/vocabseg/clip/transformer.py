"""The pre-norm transformer block of CLIP, with its halves open to the methods."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from torch import Tensor, nn
from torch.nn import functional as F

from .attention import Attention


class QuickGELU(nn.Module):
    """x · σ(1.702 x), the activation of OpenAI's weights."""

    def forward(self, x: Tensor) -> Tensor:
        return x * (1.702 * x).sigmoid()


ACTIVATIONS: dict[str, type[nn.Module]] = {"quick_gelu": QuickGELU, "gelu": nn.GELU}


class LayerNorm(nn.LayerNorm):
    """Layer normalisation that is taken in float32 whatever the dtype of its input."""

    def forward(self, x: Tensor) -> Tensor:
        y = F.layer_norm(x.float(), self.normalized_shape, self.weight.float(), self.bias.float(), self.eps)
        return y.to(x.dtype)


class MLP(nn.Module):
    """Two linear layers with an activation between them."""

    def __init__(self, width: int, hidden: int, activation: str) -> None:
        super().__init__()
        self.c_fc = nn.Linear(width, hidden)
        self.act = ACTIVATIONS[activation]()
        self.c_proj = nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.c_proj(self.act(self.c_fc(x)))


class Block(nn.Module):
    """x + attention(LN1(x)), then x + MLP(LN2(x))."""

    def __init__(self, width: int, heads: int, mlp_width: int, activation: str, eps: float) -> None:
        super().__init__()
        self.ln_1 = LayerNorm(width, eps=eps)
        self.attn = Attention(width, heads)
        self.ln_2 = LayerNorm(width, eps=eps)
        self.mlp = MLP(width, mlp_width, activation)

    def qkv(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """q, k, v of LN1(x), each [B, heads, N, d]."""
        return self.attn.qkv(self.ln_1(x))

    def feed_forward(self, x: Tensor) -> Tensor:
        """The block's second half: x + MLP(LN2(x))."""
        return x + self.mlp(self.ln_2(x))

    def forward(self, x: Tensor, bias: Tensor | None = None) -> Tensor:
        return self.feed_forward(x + self.attn(self.ln_1(x), bias))


class Transformer(nn.Module):
    """A stack of blocks; holds the name that the state dicts give it."""

    def __init__(
        self, width: int, layers: int, heads: int, mlp_width: int, activation: str, eps: float
    ) -> None:
        super().__init__()
        self.resblocks = nn.ModuleList(Block(width, heads, mlp_width, activation, eps) for _ in range(layers))

    @property
    def blocks(self) -> Sequence[Block]:
        """First to last."""
        return cast("Sequence[Block]", self.resblocks)

    def forward(self, x: Tensor, bias: Tensor | None = None) -> Tensor:
        for block in self.blocks:
            x = block(x, bias)
        return x
