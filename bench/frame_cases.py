"""Cases of ``bench.kernels`` on whole frames: preprocessing and PAMR."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
import torch
from PIL import Image

from vocabseg import ops

from . import compositions
from .kernel_cases import Case, random_scores, rng

MEAN, STD = np.array((122.771, 116.746, 104.094), np.float32), np.array((68.501, 66.632, 70.323), np.float32)


def picture(height: int, width: int) -> np.ndarray:
    """Smooth colours with noise, uint8 [H, W, 3]."""
    coarse = rng().integers(0, 256, (height // 60 + 1, width // 60 + 1, 3), dtype=np.uint8)
    smooth = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    return cv2.add(smooth, rng().integers(0, 20, smooth.shape, dtype=np.uint8))


def normalise(image: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(((image.astype(np.float32) - MEAN) / STD).transpose(2, 0, 1))


def preprocessing() -> Iterator[Case]:
    image = picture(1080, 1920)
    net = (336, 597)
    plan = ops.window_plan(net, crop=net, stride=net, patch=16, source=(1080, 1920))
    cv_size = net[::-1]
    pillow = Image.fromarray(image)
    peers = {
        "bilinear": (lambda: normalise(cv2.resize(image, cv_size)), "cv2 and NumPy"),
        "bicubic": (
            lambda: normalise(np.asarray(pillow.resize(cv_size, Image.Resampling.BICUBIC))),
            "Pillow and NumPy",
        ),
    }
    for resize, (peer, peer_name) in peers.items():
        yield Case(
            "preprocess",
            f"1080x1920 to {net[0]}x{net[1]}, {resize}",
            lambda resize=resize: ops.preprocess(image, plan, resize=resize),
            peer,
            peer_name=peer_name,
            ceiling=(lambda: cv2.resize(image, cv_size)) if resize == "bilinear" else None,
            ceiling_name="cv2.resize alone",
            work=(0, image.nbytes + 12 * net[0] * net[1]),
            agrees=lambda resize=resize, peer=peer: float(
                np.abs(ops.preprocess(image, plan, resize=resize)[0] - peer()).max()
            ),
        )


def pamr() -> Iterator[Case]:
    height, width = 480, 640
    image = picture(height, width)
    planes = torch.from_numpy(image.transpose(2, 0, 1).astype(np.float32))
    for queries in (21, 56, 150):
        maps = ops.upsample_scores(random_scores(queries, (21, 28)), (height, width))
        tensor = torch.from_numpy(maps)
        yield Case(
            "pamr",
            f"{height}x{width} Q {queries}, 10 steps",
            lambda m=maps: ops.pamr(m, image),
            lambda t=tensor: compositions.pamr(t, planes, 10, (8, 16)),
            peer_bytes=3 * 16 * maps.nbytes,
            work=(2 * 16 * 10 * maps.size, maps.nbytes),
            agrees=lambda m=maps, t=tensor: float(
                np.abs(ops.pamr(m, image) - compositions.pamr(t, planes, 10, (8, 16)).numpy()).max()
            ),
        )
