"""SC-CLIP: outlier tokens repaired, tokens gathered by similarity, and a second pass over earlier layers."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from ..clip.attention import correlation
from ..clip.transformer import Block
from ..clip.visual import VisualTransformer
from ..errors import ShapeError
from . import checks
from .base import Method

NEIGHBOURS = 30  # of a patch in feature space
NORMAL_SHARE = 0.95  # of the patches; those with larger outlier scores are repaired
SHARPNESS = 3.0  # of the attention by similarity


@dataclass(frozen=True)
class SCCLIP(Method):
    """F_i are the tokens after block i + 1, P and c the patches and the class token before the last block.

    1. Outliers among P are replaced by the mean of their neighbours on the grid, here and in F_pre.
    2. M = cosines of F_pre; P <- rows of M over ``beta``, normalised, times P.
    3. The last block keeps only its attention, half key-key and half by M: Y = A(P) v + ``res_cls`` c.
    4. Y <- rows of cos(F_post) over ``beta``, normalised, times Y.
    5. Steps 3 and 4 again for the sum of F_i over ``multi`` (first, end), neither repaired nor gathered; the two
       results are added.

    Layers and ``res_cls`` are those of ViT-B/16; the authors give pre 16, post 6, multi (8, 19), res_cls 0.1 for
    ViT-L/14. The outlier score is the official code's simplified local outlier factor. The official code finds
    neighbours on the grid with the number of rows where that of columns is meant, so it stops on windows that
    are not square; here they work. Needs at least 31 patches.
    """

    name = "scclip"
    source = "Bai et al., Self-Calibrated CLIP for Training-Free Open-Vocabulary Segmentation, IEEE TIP 2025"

    pre: int = 8
    post: int = 3
    multi: tuple[int, int] = (3, 10)
    res_cls: float = 0.3
    beta: float = 0.4

    def __post_init__(self) -> None:
        super().__post_init__()
        checks.whole(self, "pre", least=0)
        checks.whole(self, "post", least=0)
        layers = "(first, end), whole numbers with 0 <= first < end"
        checks.pair(self, "multi", layers, lambda a, b: 0 <= a < b and a % 1 == b % 1 == 0, int)
        checks.number(self, "res_cls", "a number", lambda x: True)
        checks.number(self, "beta", "0 to less than 1", lambda x: 0 <= x < 1)

    def features(self, visual: VisualTransformer, images: Tensor, text: Tensor | None = None) -> Tensor:
        x, grid = visual.embed(images, self.position, self.padding)
        taps = []
        for block in visual.blocks[:-1]:
            x = block(x)
            taps.append(x)
        self._check(len(taps), grid)
        outliers = find_outliers(x[:, 1:])
        similarity = cosines(repair(taps[self.pre][:, 1:], outliers, grid))
        gathered = gather(similarity, self.beta) @ repair(x[:, 1:], outliers, grid)
        late = gather(cosines(taps[self.post][:, 1:]), self.beta)
        early = torch.stack(taps[slice(*self.multi)]).sum(0)
        last, bias = visual.blocks[-1], similarity_bias(similarity)
        first = late @ (attend(last, gathered, bias) + self.res_cls * x[:, :1])
        second = late @ (attend(last, early[:, 1:], bias) + self.res_cls * early[:, :1])
        return visual.project(first + second)

    def _check(self, layers: int, grid: tuple[int, int]) -> None:
        if grid[0] * grid[1] <= NEIGHBOURS:
            raise ShapeError(
                f"scclip needs more than {NEIGHBOURS} patches to find outliers, got a grid of {grid[0]} x {grid[1]}: "
                "use larger windows or another method"
            )
        if max(self.pre, self.post, self.multi[1] - 1) >= layers:
            raise ShapeError(
                f"{self} does not fit a model whose layers before the last are 0 to {layers - 1}"
            )


def find_outliers(patches: Tensor) -> Tensor:
    """Which of the patches [B, N, D] lie in sparser surroundings than their nearest patches do: bool [B, N].

    The density of a patch is 1 over its squared distance to its 30th nearest patch; its score is the mean density
    of its 30 nearest over its own. Equal patches have score 1.
    """
    distance, nearest = squared_distances(patches).topk(NEIGHBOURS + 1, largest=False)
    density = NEIGHBOURS / distance[..., -1].clamp(min=torch.finfo(distance.dtype).tiny ** 0.5)
    around = density.unsqueeze(1).expand(-1, density.shape[1], -1).gather(2, nearest[..., 1:])
    score = around.mean(-1) / density
    return score > quantile(score, NORMAL_SHARE)


def squared_distances(x: Tensor) -> Tensor:
    """[B, N, D] -> [B, N, N] in float32: half precision is too coarse to rank distances."""
    x = x.float()
    square = x.square().sum(-1)
    return (square[..., None] + square[..., None, :] - 2 * x @ x.transpose(-1, -2)).clamp(min=0)


def quantile(values: Tensor, share: float) -> Tensor:
    """The quantile of every row [B, N] -> [B, 1], between the two nearest values."""
    position = share * (values.shape[-1] - 1)
    low = int(position)
    ordered = values.sort(-1).values
    lower, upper = ordered[..., low : low + 1], ordered[..., low + 1 : low + 2]
    return lower + (position - low) * (upper - lower)


def repair(patches: Tensor, outliers: Tensor, grid: tuple[int, int]) -> Tensor:
    """Outliers become the mean of those of their 8 neighbours on the grid that are none; unchanged without any."""
    weights = adjacency(grid).to(patches) * (~outliers).unsqueeze(1).to(patches.dtype)
    count = weights.sum(-1, keepdim=True)
    mean = weights @ patches / count.clamp(min=1)
    return torch.where(outliers.unsqueeze(-1) & (count > 0), mean, patches)


def adjacency(grid: tuple[int, int]) -> Tensor:
    """[N, N]: 1 where two patches are neighbours, diagonal ones included."""
    rows, cols = (torch.arange(length) for length in grid)
    near_row, near_col = ((line[:, None] - line).abs() <= 1 for line in (rows, cols))
    near = torch.kron(near_row.float(), near_col.float())
    return near - torch.eye(len(near))


def cosines(patches: Tensor) -> Tensor:
    """[B, N, D] -> [B, N, N]"""
    unit = F.normalize(patches, dim=-1)
    return unit @ unit.transpose(-1, -2)


def gather(similarity: Tensor, beta: float) -> Tensor:
    """Similarities of at least ``beta``, each row divided by its sum."""
    weights = torch.where(similarity < beta, torch.zeros_like(similarity), similarity)
    return weights / (weights.sum(-1, keepdim=True) + 1e-6)


def similarity_bias(similarity: Tensor) -> Tensor:
    """Logits of attention by similarity, [B, 1, N, N]: 3 (M - mean M), where that is not negative.

    A patch attends to itself whatever rounding makes of equal patches, so no row is left without a finite logit.
    """
    centred = SHARPNESS * (similarity - similarity.mean((-2, -1), keepdim=True))
    others = ~torch.eye(centred.shape[-1], dtype=torch.bool, device=centred.device)
    left_out = (centred < 0) & others
    return torch.where(left_out, torch.full_like(centred, -torch.inf), centred).unsqueeze(1)


def attend(block: Block, patches: Tensor, bias: Tensor) -> Tensor:
    """out_proj((softmax(k kᵀ / √d) + softmax(bias)) / 2 · v), without skip connection and feed-forward."""
    _, k, v = block.qkv(patches)
    weights = (correlation(k, k) + bias.softmax(-1)) / 2
    return block.attn.project(weights @ v)
