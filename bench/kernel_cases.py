"""The work that ``bench.kernels`` times: for every case ours, the PyTorch composition, and a ceiling."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch

from vocabseg import ops, rle
from vocabseg.kernels.common.window_plan import make_plan

from . import compositions

Work = Callable[[], object]
WIDTH = 512
# Frame -> (what the network reads, its patch grid).
FRAMES = {(480, 640): ((336, 448), (21, 28)), (1080, 1920): ((512, 912), (32, 57))}
LOGIT_SCALE = 40.0


@dataclass
class Case:
    """One piece of work. ``peer_bytes`` is the least memory of the peer's largest array; ``work`` is (flops, bytes)."""

    op: str
    name: str
    ours: Work
    peer: Work | None = None
    peer_name: str = "PyTorch composition"
    peer_bytes: int = 0
    ceiling: Work | None = None
    ceiling_name: str = ""
    work: tuple[int, int] = (0, 0)
    agrees: Callable[[], float] | None = None  # share of elements that agree, or the largest difference
    agreement: str = "largest difference"


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def regions(height: int, width: int, count: int) -> np.ndarray:
    """Nearest of ``count`` random points: regions as large and compact as the objects of a scene, [H, W]."""
    random = rng()
    points = random.random((count, 2)) * (height, width)
    ys, xs = np.mgrid[:height, :width]
    labels = np.zeros((height, width), np.int32)
    best = np.full((height, width), np.inf)
    for i, (y, x) in enumerate(points):
        distance = (ys - y) ** 2 + (xs - x) ** 2
        closer = distance < best
        best[closer], labels[closer] = distance[closer], i
    return labels


def scene_scores(queries: int, grid: tuple[int, int]) -> np.ndarray:
    """Cosines [Q, h, w] as CLIP gives them: about 0.15, a region's own words 0.08 more, noise of 0.02."""
    random = rng()
    owner = random.integers(0, queries, 40)[regions(*grid, 40)]
    scores = 0.15 + 0.02 * random.standard_normal((queries, *grid), dtype=np.float32)
    scores += 0.08 * (owner == np.arange(queries)[:, None, None])
    return scores.astype(np.float32)


def random_scores(queries: int, grid: tuple[int, int]) -> np.ndarray:
    """Scores without any structure: no query can be ruled out early."""
    return 0.1 * rng().standard_normal((queries, *grid), dtype=np.float32)


def label_decoding() -> Iterator[Case]:
    for size, (net, grid) in FRAMES.items():
        for queries in (21, 46, 150, 171, 847):
            yield from decode(size, net, grid, queries, scene_scores, "")
        yield from decode(size, net, grid, 171, random_scores, ", random scores")


def decode(size, net, grid, queries: int, make_scores, note: str) -> Iterator[Case]:
    scores = make_scores(queries, grid)
    classes = 21 if queries == 46 else queries
    mapping = np.sort(np.arange(queries) % classes)
    plan = make_plan(size, net=net, crop=net, stride=net, grid=grid)
    settings = {"plan": plan, "query_to_class": mapping, "logit_scale": LOGIT_SCALE}
    tensor, classes_of = torch.from_numpy(scores), torch.from_numpy(mapping)

    def peer():
        return compositions.decode_labels(tensor, net, size, classes_of, LOGIT_SCALE)

    def agrees() -> float:
        return float((ops.decode_labels(scores[None], **settings) == peer()[0].numpy()).mean())

    pixels = size[0] * size[1]
    name = f"{size[0]}x{size[1]} Q {queries}" + (f" to {classes}" if classes < queries else "") + note
    for with_scores in (False, True):
        yield Case(
            "decode_labels",
            name + (", with scores" if with_scores else ", labels"),
            lambda with_scores=with_scores: ops.decode_labels(
                scores[None], return_scores=with_scores, **settings
            ),
            peer,
            peer_bytes=(queries + (classes * queries if classes < queries else 0)) * pixels * 4 * 3,
            work=(0, scores.nbytes + pixels * (5 if with_scores else 1)),
            agrees=agrees,
            agreement="labels equal",
        )


def ellipses(count: int, height: int, width: int) -> np.ndarray:
    """Masks as a segmenter proposes them: ellipses of 0.1 to 20 % of the picture."""
    random = rng()
    ys, xs = np.mgrid[:height, :width]
    masks = np.zeros((count, height, width), bool)
    for mask in masks:
        y, x = random.random(2) * (height, width)
        b, a = np.exp(random.uniform(np.log(0.02), np.log(0.3), 2)) * (height, width)
        mask[:] = ((ys - y) / b) ** 2 + ((xs - x) / a) ** 2 < 1
    return masks


def mask_pooling() -> Iterator[Case]:
    for size, grid, width in (((480, 640), (21, 28), WIDTH), ((1024, 1024), (32, 32), 768)):
        features = rng().standard_normal((*grid, width), dtype=np.float32)
        masks = ellipses(100, *size)
        yield from pool_masks(size, features, masks)
        yield from pool_segments(size, features)


def pool_masks(size, features: np.ndarray, masks: np.ndarray) -> Iterator[Case]:
    codes = [{"size": list(size), "counts": rle.compress(rle.encode(mask))} for mask in masks]
    tensor, tensor_masks = torch.from_numpy(features), torch.from_numpy(masks)
    target = np.empty_like(masks)

    def difference(forms) -> float:
        expected = compositions.mask_pool(tensor, tensor_masks).numpy()
        return float(np.abs(ops.mask_pool(features, forms)[0] - expected).max())

    pixels = size[0] * size[1]
    common = {
        "peer": lambda: compositions.mask_pool(tensor, tensor_masks),
        "peer_name": "PyTorch product",
        "peer_bytes": (features.shape[2] + len(masks)) * pixels * 4,
    }
    where = f"{size[0]}x{size[1]} 100 masks"
    yield Case(
        "mask_pool",
        f"{where}, bool",
        lambda: ops.mask_pool(features, masks),
        ceiling=lambda: np.copyto(target, masks),
        ceiling_name="copy of the masks",
        work=(0, masks.nbytes),
        agrees=lambda: difference(masks),
        **common,
    )
    yield Case(
        "mask_pool",
        f"{where}, RLE",
        lambda: ops.mask_pool(features, codes),
        agrees=lambda: difference(codes),
        **common,
    )


def pool_segments(size, features: np.ndarray) -> Iterator[Case]:
    labels = regions(*size, 300)
    tensor, tensor_labels = torch.from_numpy(features), torch.from_numpy(labels)
    one_hot = torch.from_numpy(labels == np.arange(300, dtype=np.int32)[:, None, None])

    def difference() -> float:
        expected = compositions.segment_pool(tensor, tensor_labels, 300).numpy()
        return float(np.abs(ops.mask_pool(features, labels, count=300)[0] - expected).max())

    pixels = size[0] * size[1]
    peers = {
        "PyTorch product": (lambda: compositions.mask_pool(tensor, one_hot), features.shape[2] + 300),
        "PyTorch index_add": (
            lambda: compositions.segment_pool(tensor, tensor_labels, 300),
            2 * features.shape[2],
        ),
    }
    for peer_name, (peer, planes) in peers.items():
        yield Case(
            "mask_pool",
            f"{size[0]}x{size[1]} 300 segments, label map",
            lambda: ops.mask_pool(features, labels, count=300),
            peer,
            peer_name=peer_name,
            peer_bytes=planes * pixels * 4,
            work=(0, labels.nbytes),
            agrees=difference,
        )


def patch_text_similarity() -> Iterator[Case]:
    for patches, queries in ((588, 21), (588, 171), (1824, 171), (1824, 847)):
        features = rng().standard_normal((patches, WIDTH), dtype=np.float32)
        text = rng().standard_normal((queries, WIDTH), dtype=np.float32)
        out = np.empty((queries, patches), np.float32)
        tensors = torch.from_numpy(features), torch.from_numpy(text)
        yield Case(
            "patch_text_similarity",
            f"N {patches} Q {queries} D {WIDTH}",
            lambda f=features, t=text: ops.patch_text_similarity(f, t),
            lambda t=tensors: compositions.similarity(*t),
            ceiling=lambda f=features, t=text, o=out: np.matmul(t, f.T, out=o),
            ceiling_name="NumPy's product of this shape",
            work=(2 * patches * queries * WIDTH, features.nbytes + text.nbytes + out.nbytes),
            agrees=lambda f=features, t=text, s=tensors: float(
                np.abs(ops.patch_text_similarity(f, t) - compositions.similarity(*s).numpy()).max()
            ),
        )


def correlative_attention() -> Iterator[Case]:
    for tokens, heads in ((589, 12), (1024, 12)):
        q, k, v = rng().standard_normal((3, 1, heads, tokens, 64), dtype=np.float32) * 0.5
        tensors = [torch.from_numpy(array) for array in (q, k, v)]
        yield Case(
            "correlative_attention",
            f"N {tokens}, {heads} heads of 64, qq + kk",
            lambda a=(q, k, v): ops.correlative_attention(*a, terms=("qq", "kk")),
            lambda t=tensors: compositions.correlative_attention(*t, ("qq", "kk")),
            peer_name="PyTorch, explicit softmaxes",
            work=(heads * 8 * tokens * tokens * 64, 4 * q.nbytes),
            agrees=lambda a=(q, k, v), t=tensors: float(
                np.abs(
                    ops.correlative_attention(*a, terms=("qq", "kk"))
                    - compositions.correlative_attention(*t, ("qq", "kk")).numpy()
                ).max()
            ),
        )
