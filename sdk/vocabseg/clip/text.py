"""CLIP's text transformer."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .config import TextConfig
from .transformer import LayerNorm, Transformer


class TextTransformer(nn.Module):
    """The causal text tower of CLIP (Radford et al. 2021), parameters named as in OpenAI's state dicts."""

    def __init__(self, config: TextConfig) -> None:
        super().__init__()
        self.config = config
        self.token_embedding = nn.Embedding(config.vocab_size, config.width)
        self.positional_embedding = nn.Parameter(torch.empty(config.context_length, config.width))
        self.transformer = Transformer(
            config.width, config.layers, config.heads, config.mlp_width, config.activation, config.eps
        )
        self.ln_final = LayerNorm(config.width, eps=config.eps)
        self.text_projection = nn.Parameter(torch.empty(config.width, config.embed_dim))

    def forward(self, tokens: Tensor) -> Tensor:
        """Token ids [T, context_length] to embeddings [T, embed_dim], not normalised.

        The embedding is read at the end-of-text token, which has the highest id of every row.
        """
        length = tokens.shape[1]
        x = self.token_embedding(tokens) + self.positional_embedding[:length]
        x = self.ln_final(self.transformer(x, causal_bias(length, x.device)))
        end = tokens.argmax(dim=-1)
        return x[torch.arange(x.shape[0], device=x.device), end] @ self.text_projection


def causal_bias(length: int, device: torch.device | None = None) -> Tensor:
    """[length, length]: 0 on and below the diagonal, -inf above."""
    return torch.full((length, length), float("-inf"), device=device).triu(1)
