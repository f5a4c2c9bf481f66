"""The published pipelines of SC-CLIP, ResCLIP and CLIPtrase, written plainly: the peers of ``bench.against``.

As in the official code: one window after another, every attention map and every intermediate array in memory, PyTorch for the
arrays, scikit-learn and SciPy for the clusters, loops of Python over patches and segments. Weights are those of a
``VisualTransformer``, steps those of the papers' code, with the column count where SC-CLIP's code has the row count.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np
import scipy.ndimage
import torch
import torch.nn.functional as F
from sklearn.cluster import DBSCAN

from vocabseg.clip import VisualTransformer
from vocabseg.clip.transformer import Block
from vocabseg.kernels.common.window_plan import WindowPlan

from .frame_cases import normalise
from .plain_resclip import feedback_map, naclip_bias, patch_labels

Tensor = torch.Tensor
Features = Callable[[VisualTransformer, Tensor, Tensor], Tensor]


@torch.inference_mode()
def segment(
    features: Features, visual: VisualTransformer, text: Tensor, frame: np.ndarray, plan: WindowPlan
) -> np.ndarray:
    """Labels [H, W] of a frame from averaged windows. ``features`` maps a window to rows of its patches."""
    image = window_input(frame, plan)
    scores = torch.zeros(1, len(text), plan.net_h, plan.net_w)
    count = torch.zeros(1, 1, plan.net_h, plan.net_w)
    for y in plan.ys:
        for x in plan.xs:
            area = (..., slice(y, y + plan.window_h), slice(x, x + plan.window_w))
            rows = F.normalize(features(visual, image[area], text), dim=-1)
            maps = (rows @ text.T).T.reshape(1, -1, plan.grid_h, plan.grid_w)
            scores[area] += F.interpolate(maps, size=(plan.window_h, plan.window_w), mode="bilinear")
            count[area] += 1
    scores = F.interpolate(scores / count, size=frame.shape[:2], mode="bilinear")
    return (40 * scores).softmax(1)[0].argmax(0).numpy()


def window_input(frame: np.ndarray, plan: WindowPlan) -> Tensor:
    """The resized, normalised frame [1, 3, H, W]."""
    return torch.from_numpy(normalise(cv2.resize(frame, (plan.net_w, plan.net_h))))[None]


def block(layer: Block, x: Tensor, maps: bool = False) -> tuple[Tensor, Tensor | None]:
    """Tokens [1, N, D] through CLIP's block, and its attention [heads, N, N] where it is asked for."""
    y = layer.ln_1(x).transpose(0, 1)
    attention = layer.attn
    y, weights = F.multi_head_attention_forward(
        y,
        y,
        y,
        x.shape[-1],
        attention.heads,
        attention.in_proj_weight,
        attention.in_proj_bias,
        None,
        None,
        False,
        0.0,
        attention.out_proj.weight,
        attention.out_proj.bias,
        training=False,
        need_weights=maps,
        average_attn_weights=False,
    )
    x = x + y.transpose(0, 1)
    return x + layer.mlp(layer.ln_2(x)), weights


def heads(layer: Block, x: Tensor) -> list[Tensor]:
    """q, k and v of tokens [1, N, D], each [heads, N, d]."""
    return [part[0] for part in layer.qkv(x)]


def self_attention(a: Tensor) -> Tensor:
    return (a @ a.transpose(-1, -2) * a.shape[-1] ** -0.5).softmax(-1)


def joined(layer: Block, values: Tensor) -> Tensor:
    """[heads, N, d] -> [1, N, D], projected."""
    return layer.attn.out_proj(values.transpose(0, 1).flatten(1))[None]


def scclip(visual: VisualTransformer, image: Tensor, text: Tensor) -> Tensor:
    x, grid = visual.embed(image)
    taps = []
    for layer in visual.blocks[:-1]:
        x, _ = block(layer, x)
        taps.append(x)
    patches, class_token = x[0, 1:], x[:, :1]
    outliers = local_outliers(patches)
    mid = fix(taps[8][0, 1:], outliers, grid)
    patches = fix(patches, outliers, grid)
    unit = F.normalize(mid, dim=-1)
    similarity = unit @ unit.T
    patches = aggregate(similarity) @ patches
    late = F.normalize(taps[3][0, 1:], dim=-1)
    after = aggregate(late @ late.T)
    last = visual.blocks[-1]
    first = after @ (calibrated(last, patches[None], similarity) + 0.3 * class_token)
    fused = torch.stack(taps[3:10]).sum(0)
    second = after @ (calibrated(last, fused[:, 1:], similarity) + 0.3 * fused[:, :1])
    return visual.project(first + second)[0]


def local_outliers(patches: Tensor) -> list[int]:
    """Patches in sparser surroundings than their 30 nearest."""
    distance = torch.cdist(patches, patches) ** 2
    near, index = distance.topk(31, largest=False)
    density = 30 / near[:, 1:].amax(1)
    score = density[index[:, 1:]].mean(1) / density
    return torch.where(score > torch.quantile(score, 0.95))[0].tolist()


def fix(patches: Tensor, outliers: Sequence[int], grid: tuple[int, int]) -> Tensor:
    """Outliers become the mean of their neighbours on the grid that are none."""
    fixed = patches.clone()
    for index in outliers:
        row, column = divmod(index, grid[1])
        around = [
            y * grid[1] + x
            for y in range(max(row - 1, 0), min(row + 2, grid[0]))
            for x in range(max(column - 1, 0), min(column + 2, grid[1]))
            if y * grid[1] + x not in outliers
        ]
        if around:
            fixed[index] = torch.stack([patches[neighbour] for neighbour in around]).mean(0)
    return fixed


def aggregate(similarity: Tensor) -> Tensor:
    kept = similarity.clone()
    kept[kept < 0.4] = 0
    return kept / (kept.sum(-1, keepdim=True) + 1e-6)


def calibrated(layer: Block, x: Tensor, similarity: Tensor) -> Tensor:
    """The last block's attention, half key-key and half by similarity."""
    _, k, v = heads(layer, x)
    centred = 3 * (similarity - similarity.mean())
    centred[centred < 0] = -torch.inf
    weights = (self_attention(k) + centred.softmax(-1).expand(len(k), -1, -1)) / 2
    return joined(layer, weights @ v)


def resclip(visual: VisualTransformer, image: Tensor, text: Tensor) -> Tensor:
    """On NACLIP: one full pass for a first segmentation, and another that uses it."""
    features, grid = resclip_pass(visual, image, None)
    maps = (F.normalize(features, dim=-1) @ text.T).T.reshape(1, -1, *grid)
    return resclip_pass(visual, image, feedback_map(patch_labels(maps, image)))[0]


def resclip_pass(
    visual: VisualTransformer, image: Tensor, shared: Tensor | None
) -> tuple[Tensor, tuple[int, int]]:
    x, grid = visual.embed(image)
    maps = []
    for layer in visual.blocks[:-1]:
        x, weights = block(layer, x, maps=True)
        maps.append(weights)
    last = visual.blocks[-1]
    _, k, v = heads(last, x)
    logits = k @ k.transpose(-1, -2) * k.shape[-1] ** -0.5
    if shared is not None:
        logits = 2.1 * (0.4 * logits + (0.6 * shared).float())
    attention = (logits + naclip_bias(grid)).softmax(-1)
    attention = 2.0 * (0.4 * attention + 0.6 * torch.stack(maps)[5:9].mean(0)[0])
    return visual.project(joined(last, attention @ v))[0, 1:], grid


@torch.inference_mode()
def cliptrase(
    visual: VisualTransformer, text: Tensor, frame: np.ndarray, plan: WindowPlan, eps: float, least: int
) -> np.ndarray:
    """Labels of a frame that one square window covers, at the window's size."""
    image = window_input(frame, plan)
    grid, size = (plan.grid_h, plan.grid_w), (plan.window_h, plan.window_w)
    tokens, correlation = cliptrase_tokens(visual, image)
    rows = F.normalize(tokens[1:], dim=-1)
    logits = F.interpolate(100 * (rows @ text.T).T.reshape(1, -1, *grid), size=size, mode="bilinear")
    labels = logits[0].argmax(0).numpy()
    affinity = (correlation[1:, 1:] - correlation[:1, 1:]).relu().numpy()
    clusters = DBSCAN(eps=eps, min_samples=least).fit_predict(affinity)
    if clusters.max() < 0:
        return labels
    maps = []
    for cluster in range(clusters.max() + 1):
        map_ = torch.from_numpy(affinity[clusters == cluster].mean(0)).reshape(1, 1, *grid)
        map_ = F.interpolate(map_, scale_factor=4, mode="bilinear")
        filtered = torch.from_numpy(scipy.ndimage.median_filter(map_[0, 0].numpy(), size=7))
        maps.append(F.interpolate(filtered[None, None], size=size, mode="bilinear")[0, 0])
    return vote(labels, torch.stack(maps).argmax(0).numpy(), len(text))


def cliptrase_tokens(visual: VisualTransformer, image: Tensor) -> tuple[Tensor, Tensor]:
    """Tokens after the projection, class token first, and the cosines of the block before the last."""
    x, _ = visual.embed(image)
    for layer in visual.blocks[:-2]:
        x, _ = block(layer, x)
    unit = [F.normalize(part, dim=-1) for part in heads(visual.blocks[-2], x)]
    correlation = (sum(part @ part.transpose(-1, -2) for part in unit) / 3).mean(0)
    x, _ = block(visual.blocks[-2], x)
    last = visual.blocks[-1]
    q, k, v = heads(last, x)
    x = x + joined(last, (self_attention(q) + self_attention(k) + self_attention(v)) @ v)
    return visual.project(x + last.mlp(last.ln_2(x)))[0], correlation


def vote(labels: np.ndarray, segments: np.ndarray, words: int) -> np.ndarray:
    """Every segment takes the label that most of its pixels have."""
    voted = labels.copy()
    for segment_id in np.unique(segments):
        inside = segments == segment_id
        voted[inside] = np.bincount(labels[inside], minlength=words).argmax()
    return voted
