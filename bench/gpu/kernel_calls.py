"""Calls of every op that has GPU kernels, with what each has to move and compute."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from vocabseg import ops

WIDTH, QUERIES, HEADS, HEAD_WIDTH = 512, 171, 12, 64


@dataclass(frozen=True)
class Call:
    """run: takes the implementation. flops, moved: operations, and bytes with each array counted once."""

    name: str
    run: Callable[[str], Any]
    flops: int
    moved: int


@dataclass(frozen=True)
class Scene:
    """The sizes of a call: pixels, patches, masks, and tokens of attention."""

    size: tuple[int, int]
    grid: tuple[int, int]
    masks: int
    tokens: int


FULL = Scene((480, 640), (21, 28), 100, 1024)
SHORT = Scene((45, 61), (3, 4), 5, 33)


def arguments(parser: argparse.ArgumentParser) -> None:
    """What ``Target.options`` gives."""
    parser.add_argument("--device", default="cuda:0")
    parser.add_argument("--implementations", nargs="+", default=["triton", "cubin"])
    parser.add_argument("--short", action="store_true", help="small sizes")


def available(device: str, names: Sequence[str]) -> list[str]:
    """The implementations of these names that can run on arrays of the device."""
    found = ops.implementations("mask_pool", device)
    return [name for item in found if item.available and (name := item.id.rpartition("/")[2]) in names]


def calls(scene: Scene, device: str) -> Iterator[Call]:
    torch.manual_seed(0)
    yield from similarity(scene, device)
    yield from decoding(scene, device)
    yield from pooling(scene, device)
    yield from pixels(scene, device)
    q, k, v = torch.randn(3, 1, HEADS, scene.tokens, HEAD_WIDTH, device=device).half()
    yield Call(
        "correlative_attention",
        lambda impl: ops.correlative_attention(q, k, v, ("qq", "kk"), impl=impl),
        8 * HEADS * scene.tokens**2 * HEAD_WIDTH,
        4 * q.nbytes,
    )


def similarity(scene: Scene, device: str) -> Iterator[Call]:
    patches = scene.grid[0] * scene.grid[1]
    features = torch.randn(patches, WIDTH, device=device).half()
    text = torch.randn(QUERIES, WIDTH, device=device).half()
    flops, read = 2 * patches * QUERIES * WIDTH, features.nbytes + text.nbytes
    yield Call(
        "patch_text_similarity",
        lambda impl: ops.patch_text_similarity(features, text, impl=impl),
        flops,
        read + 4 * patches * QUERIES,
    )
    yield Call(
        "top_classes", lambda impl: ops.top_classes(features, text, impl=impl), flops, read + 12 * patches
    )


def decoding(scene: Scene, device: str) -> Iterator[Call]:
    scores = torch.randn(QUERIES, *scene.grid, device=device)
    count = scene.size[0] * scene.size[1]
    yield Call(
        "decode_labels",
        lambda impl: ops.decode_labels(scores, scene.size, logit_scale=40.0, impl=impl),
        0,
        scores.nbytes + count,
    )
    yield Call(
        "upsample_scores",
        lambda impl: ops.upsample_scores(scores, scene.size, impl=impl),
        0,
        scores.nbytes + 4 * QUERIES * count,
    )


def pooling(scene: Scene, device: str) -> Iterator[Call]:
    features = torch.randn(*scene.grid, WIDTH, device=device).half()
    text = torch.randn(QUERIES, WIDTH, device=device)
    masks = torch.rand(scene.masks, *scene.size, device=device) < 0.1
    moved = features.nbytes + masks.nbytes + 4 * scene.masks * WIDTH
    yield Call("mask_pool", lambda impl: ops.mask_pool(features, masks, impl=impl), 0, moved)
    yield Call(
        "mask_classification",
        lambda impl: ops.mask_classification(features, masks, text, impl=impl),
        0,
        moved + text.nbytes,
    )


def pixels(scene: Scene, device: str) -> Iterator[Call]:
    image = torch.randint(0, 256, (*scene.size, 3), dtype=torch.uint8, device=device)
    plan = ops.window_plan(scene.size, crop=scene.size, stride=scene.size, patch=1)
    yield Call(
        "preprocess",
        lambda impl: ops.preprocess(image, plan, dtype="float16", impl=impl),
        0,
        image.nbytes + 2 * image.numel(),
    )
    scores = torch.randn(21, *scene.size, device=device)
    yield Call(
        "pamr",
        lambda impl: ops.pamr(scores, image, steps=10, impl=impl),
        0,
        2 * scores.nbytes + image.nbytes,
    )
