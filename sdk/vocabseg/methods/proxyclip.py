"""ProxyCLIP: the last block's attention replaced by the similarity of another backbone's features."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from ..clip.attention import merge_heads
from ..clip.visual import VisualTransformer
from ..errors import ShapeError
from . import checks
from .base import Method

# Means and standard deviations of what CLIP and the other backbone read, on the 0..1 scale.
CLIP_MEAN, CLIP_STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class ProxyCLIP(Method):
    """y = out_proj(softmax(γ (S - β mean S)) v), S the cosines of the backbone's features, negative logits left out.

    ``backbone`` maps images [B, 3, H, W], normalised as ImageNet's, to features [B, C, I, J], such as a DINO ViT's
    last tokens on their grid (``dino``). Values are up-sampled to its grid, so features are [B, I·J, D]. No skip
    connection, no feed-forward; the class token is left out. The official code takes the mean over the whole batch
    (``batch_mean``) and reads only square windows.
    """

    name = "proxyclip"
    source = (
        "Lan et al., ProxyCLIP: Proxy Attention Improves CLIP for Open-Vocabulary Segmentation, ECCV 2024"
    )

    backbone: Callable[[Tensor], Tensor] | None = field(default=None, repr=False)
    beta: float = 1.2
    gamma: float = 3.0
    batch_mean: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        checks.number(self, "beta", "a number", lambda x: True)
        checks.positive(self, "gamma")
        if self.backbone is not None and not callable(self.backbone):
            checks.refuse(self, "backbone", "a function of images [B, 3, H, W], or None")

    def features(self, visual: VisualTransformer, images: Tensor, text: Tensor | None = None) -> Tensor:
        if self.backbone is None:
            raise ShapeError(
                "proxyclip needs a second backbone: methods.get('proxyclip', backbone=proxyclip.dino())"
            )
        proxy = self.backbone(imagenet_normalised(images))
        if proxy.ndim != 4 or len(proxy) != len(images):
            raise ShapeError(
                f"the backbone made {list(proxy.shape)} of images {list(images.shape)}, expected features [B, C, I, J]"
            )
        x, grid = visual.embed(images, self.position, self.padding)
        for block in visual.blocks[:-1]:
            x = block(x)
        last = visual.blocks[-1]
        _, _, v = last.qkv(x)
        values = merge_heads(v)[:, 1:].transpose(1, 2).unflatten(2, grid)
        values = F.interpolate(values, size=proxy.shape[2:], mode="bilinear").flatten(2).transpose(1, 2)
        return visual.project(last.attn.out_proj(self.attention(proxy) @ values))

    def attention(self, proxy: Tensor) -> Tensor:
        """Features [B, C, I, J] of the backbone to attention weights [B, I·J, I·J].

        Where every logit of a row is negative, as on a constant image, none is left out.
        """
        unit = F.normalize(proxy.flatten(2), dim=1)
        similarity = unit.transpose(1, 2) @ unit
        mean = similarity.mean() if self.batch_mean else similarity.mean((1, 2), keepdim=True)
        logits = self.gamma * (similarity - self.beta * mean)
        negative = logits < 0
        left_out = negative & ~negative.all(-1, keepdim=True)
        return torch.where(left_out, torch.full_like(logits, -torch.inf), logits).softmax(-1)


def imagenet_normalised(images: Tensor) -> Tensor:
    """Images that are normalised as CLIP's, normalised as ImageNet's."""
    mean, std, new_mean, new_std = (
        torch.tensor(values, dtype=images.dtype, device=images.device)[:, None, None]
        for values in (CLIP_MEAN, CLIP_STD, IMAGENET_MEAN, IMAGENET_STD)
    )
    return (images * std + mean - new_mean) / new_std


def dino(model: str = "vit_base_patch8_224.dino") -> Callable[[Tensor], Tensor]:
    """A backbone of timm, with its weights: images [B, 3, H, W] -> normalised last tokens [B, C, H / p, W / p].

    Raises:
        ImportError: timm is not installed: pip install timm.
    """
    import timm

    network: Any = timm.create_model(model, pretrained=True, num_classes=0, dynamic_img_size=True).eval()

    def run(images: Tensor) -> Tensor:
        tokens = network.forward_features(images)[:, network.num_prefix_tokens :]
        patch = network.patch_embed.patch_size
        grid = (images.shape[2] // patch[0], images.shape[3] // patch[1])
        return tokens.transpose(1, 2).unflatten(2, grid)

    return run
