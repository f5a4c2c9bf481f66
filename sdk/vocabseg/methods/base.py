"""What every method is: a way to read patch features out of CLIP's vision tower."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, ClassVar

from torch import Tensor

from ..clip.transformer import Block
from ..clip.visual import Padding, PositionResize, VisualTransformer
from . import checks


@dataclass(frozen=True)
class Method:
    """A system of the literature with its parameters; frozen, so that it can name itself in a bundle."""

    name: ClassVar[str]
    source: ClassVar[str]  # paper, year, official code
    position: ClassVar[PositionResize] = "offset"
    padding: ClassVar[Padding] = "none"
    uses_text: ClassVar[bool] = False

    def __post_init__(self) -> None:
        """Raises ValueError for a parameter out of range; methods with more than switches add to it."""
        for field in fields(self):
            if isinstance(field.default, bool):
                checks.flag(self, field.name)

    def features(self, visual: VisualTransformer, images: Tensor, text: Tensor | None = None) -> Tensor:
        """[B, 3, H, W] -> [B, h·w, D] after LN_post and projection, class token dropped."""
        raise NotImplementedError

    def outputs(self, visual: VisualTransformer, images: Tensor) -> dict[str, Tensor]:
        """What the image network gives: ``features``, and by name what steps after the network need beside them."""
        return {"features": self.features(visual, images)}

    def post_steps(self) -> list[dict[str, Any]]:
        """What the runtime has to do after the network, as a bundle's manifest names it."""
        return []


@dataclass(frozen=True)
class LastBlockMethod(Method):
    """A method that runs CLIP as it is up to the last block and rewrites only that block."""

    def features(self, visual: VisualTransformer, images: Tensor, text: Tensor | None = None) -> Tensor:
        x, grid = visual.embed(images, self.position, self.padding)
        for block in visual.blocks[:-1]:
            x = block(x)
        y = self.last_block(visual.blocks[-1], x, grid)
        return visual.project(y[:, 1:])

    def last_block(self, block: Block, x: Tensor, grid: tuple[int, int]) -> Tensor:
        """Tokens that enter the last block [B, 1 + h·w, D] to tokens that leave it."""
        raise NotImplementedError


def attend(block: Block, x: Tensor, attention: Tensor, v: Tensor, residual: bool) -> Tensor:
    """The rest of a block after its attention weights are known.

    ``residual`` keeps CLIP's skip connection and feed-forward; without it the block ends after ``out_proj``.
    """
    y = block.attn.project(attention @ v)
    return block.feed_forward(x + y) if residual else y
