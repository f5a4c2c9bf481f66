from __future__ import annotations

import numpy as np
import pytest
from plans import PLANS, scores_for, textbook

from vocabseg import ops, rle
from vocabseg.errors import MaskError, ShapeError
from vocabseg.kernels.common.window_plan import single_window

OP = "mask_pool"
WIDTH = 5


def features_for(plan) -> np.ndarray:
    """[W, N, D]"""
    patches = scores_for(plan, WIDTH)
    return np.ascontiguousarray(np.moveaxis(patches, 1, -1).reshape(plan.windows, -1, WIDTH))


def patches_of(features: np.ndarray, plan) -> np.ndarray:
    return np.moveaxis(features.reshape(plan.windows, plan.grid_h, plan.grid_w, -1), -1, 1)


def masks_for(size: tuple[int, int], seed: int = 0) -> np.ndarray:
    """Speckles, a block, everything, one pixel, nothing."""
    height, width = size
    masks = np.zeros((5, height, width), bool)
    masks[0] = np.random.default_rng(seed).random(size) < 0.4
    masks[1, height // 3 : height // 2 + 1, width // 4 : width // 2 + 1] = True
    masks[2] = True
    masks[3, -1, -1] = True
    return masks


def expected_of(features: np.ndarray, masks: np.ndarray, plan) -> np.ndarray:
    pixels = textbook(patches_of(features, plan), plan, masks.shape[1:])
    return np.stack([pixels[:, mask].mean(1) if mask.any() else np.zeros(len(pixels)) for mask in masks])


def coco(mask: np.ndarray, form: str) -> dict:
    counts = rle.encode(mask)
    code = rle.compress(counts)
    forms = {"list": counts.tolist(), "bytes": code.encode(), "str": code}
    return {"size": list(mask.shape), "counts": forms[form]}


@pytest.mark.parametrize("name", PLANS)
def test_equals_the_textbook(op, name) -> None:
    plan = PLANS[name]
    features, masks = features_for(plan), masks_for((plan.source_h, plan.source_w))
    expected = expected_of(features, masks, plan)
    codes = [
        coco(mask, form) for mask, form in zip(masks, ("list", "bytes", "str", "list", "bytes"), strict=True)
    ]
    for given in (masks, masks.astype(np.uint8) * 200, ops.PackedMasks.pack(masks), codes):
        pooled, area = op(features, given, plan=plan)
        assert pooled.dtype == np.float32
        assert area.dtype == np.int64
        np.testing.assert_allclose(pooled, expected, rtol=0, atol=2e-6)
        np.testing.assert_array_equal(area, masks.sum((1, 2)))
    assert (pooled[4] == 0).all()


@pytest.mark.parametrize("name", PLANS)
def test_label_map(op, name) -> None:
    plan = PLANS[name]
    features = features_for(plan)
    labels = np.random.default_rng(1).integers(-2, 6, (plan.source_h, plan.source_w))
    masks = labels == np.arange(7)[:, None, None]
    expected = expected_of(features, masks, plan)
    for given in (labels, labels.astype(np.int32), labels.astype(np.int8)):
        pooled, area = op(features, given, count=7, plan=plan)
        np.testing.assert_allclose(pooled, expected, rtol=0, atol=2e-6)
        np.testing.assert_array_equal(area, masks.sum((1, 2)))


def test_without_a_plan(op) -> None:
    plan = PLANS["stretched"]
    features = features_for(plan)
    masks = masks_for((23, 31))
    pooled, _ = op(features.reshape(3, 5, WIDTH), masks)
    np.testing.assert_allclose(pooled, expected_of(features, masks, plan), rtol=0, atol=2e-6)


def test_no_masks(op) -> None:
    features = np.ones((3, 5, WIDTH), np.float32)
    empty = np.zeros((0, 6, 7), bool)
    for masks in (empty, [], np.full((6, 7), -1), ops.PackedMasks.pack(empty), empty.astype(np.float32)):
        pooled, area = op(features, masks)
        assert pooled.shape == (0, WIDTH)
        assert area.shape == (0,)


def test_nan_patches_touch_only_their_masks(op) -> None:
    features = np.ones((1, 4, WIDTH), np.float32)
    features[0, 3] = np.nan
    masks = np.zeros((2, 4, 16), bool)
    masks[0, :, :10] = True  # reaches patch centres 0 to 2 only
    masks[1, :, 12:] = True
    pooled, _ = op(features, masks)
    assert (pooled[0] == 1).all()
    assert np.isnan(pooled[1]).all()


def test_nan_and_infinite_patches_beside_many_masks(op) -> None:
    """Dense masks are multiplied where features are finite, and summed patch by patch where they are not."""
    features = np.ones((4, 4, 40), np.float32)
    features[3, 3, 7], features[3, 3, 9] = np.nan, np.inf
    masks = np.zeros((12, 64, 64), bool)
    masks[:, :52] = True  # rows 56 and more reach the last row of patches only, 40 and more that too
    masks[:6, 40:] = False
    pooled, _ = op(features, masks)
    np.testing.assert_allclose(pooled[:6], 1, atol=1e-6)
    assert np.isnan(pooled[6:, 7]).all()
    assert np.isposinf(pooled[6:, 9]).all()
    np.testing.assert_allclose(np.delete(pooled[6:], [7, 9], 1), 1, atol=1e-6)


@pytest.mark.parametrize("width", [1, 7, 8, 31, 33, 63, 64, 65, 130])
@pytest.mark.parametrize("height", [1, 23, 50])
def test_odd_sizes(op, width, height) -> None:
    rng = np.random.default_rng(width)
    features = rng.standard_normal((2, 3, 19)).astype(np.float32)
    masks = rng.random((3, height, width)) < [[[0.5]], [[0.01]], [[0.99]]]
    patches = np.moveaxis(features, -1, 0)[None]
    expected = textbook(patches, single_window((height, width), (2, 3)), (height, width))
    expected = [expected[:, mask].mean(1) if mask.any() else np.zeros(19) for mask in masks]
    labels = np.where(masks[0], 0, np.where(masks[2], 2, -1))
    forms = (
        masks,
        masks.astype(np.uint8) * 128,
        ops.PackedMasks.pack(masks),
        [coco(m, "str") for m in masks],
    )
    for given in (*forms, masks.astype(np.float32)):
        pooled, area = op(features, given)
        np.testing.assert_allclose(pooled, expected, rtol=0, atol=2e-6)
        np.testing.assert_array_equal(area, masks.sum((1, 2)))
    pooled, area = op(features, labels)
    np.testing.assert_allclose(pooled[0], expected[0], rtol=0, atol=2e-6)
    assert area[0] == masks[0].sum()


def test_sparse_and_dense_masks_together(op) -> None:
    """As many patches and masks as take both ways through the features."""
    rng = np.random.default_rng(0)
    height, width = 150, 210
    features = rng.standard_normal((14, 20, 130)).astype(np.float32)
    y, x = np.mgrid[:height, :width]
    radius = np.array([2, 60, 5, 200, 1, 90, 30])[:, None, None]
    masks = (y - 70) ** 2 + (x - 100) ** 2 < radius**2
    plan = single_window((height, width), (14, 20))
    expected = expected_of(features.reshape(1, -1, 130), masks, plan)
    for given in (masks, [coco(mask, "bytes") for mask in masks]):
        np.testing.assert_allclose(op(features, given)[0], expected, rtol=0, atol=2e-6)


@pytest.mark.parametrize("dtype", ["float64", "float16", "bfloat16"])
def test_features_of_other_types(op, dtype) -> None:
    dtype = pytest.importorskip("ml_dtypes").bfloat16 if dtype == "bfloat16" else np.dtype(dtype)
    features = np.random.default_rng(0).standard_normal((3, 5, WIDTH)).astype(dtype)
    masks = masks_for((23, 31))
    expected, _ = op(features.astype(np.float32), masks)
    np.testing.assert_allclose(op(features, masks)[0], expected, rtol=0, atol=1e-6)


def test_views(op) -> None:
    plan = PLANS["slide"]
    features, masks = features_for(plan), masks_for((40, 52))
    expected, _ = op(features, np.ascontiguousarray(masks[::-1, :, ::-1]), plan=plan)
    np.testing.assert_array_equal(op(features, masks[::-1, :, ::-1], plan=plan)[0], expected)
    transposed = np.asfortranarray(masks)
    np.testing.assert_array_equal(op(features, transposed, plan=plan)[0], op(features, masks, plan=plan)[0])
    shuffled = np.asfortranarray(features)
    np.testing.assert_array_equal(op(shuffled, masks, plan=plan)[0], op(features, masks, plan=plan)[0])
    bits = ops.PackedMasks.pack(masks).bits
    packed = ops.PackedMasks(np.repeat(bits, 2, axis=2)[..., ::2], 52)
    np.testing.assert_array_equal(op(features, packed, plan=plan)[0], op(features, masks, plan=plan)[0])
    labels = np.random.default_rng(1).integers(-1, 4, (40, 52), dtype=np.int32)
    expected, _ = op(features, labels.copy()[::-1, ::-1].copy(), plan=plan)
    np.testing.assert_array_equal(op(features, labels[::-1, ::-1], plan=plan)[0], expected)


def test_same_bits_for_any_thread_count(op) -> None:
    plan = PLANS["slide, ragged"]
    features, masks = features_for(plan), masks_for((37, 29))
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 9, (37, 29))
    weights = rng.random((37, 29))
    codes = [coco(mask, "list") for mask in masks]
    for given in (masks, labels, codes, ops.PackedMasks.pack(masks), masks * weights):
        for weight in (None, weights):
            expected, _ = op(features, given, plan=plan, weights=weight, threads=1)
            for threads in (2, 3):
                pooled, _ = op(features, given, plan=plan, weights=weight, threads=threads)
                np.testing.assert_array_equal(pooled, expected)


def weighted_mean(features: np.ndarray, weights: np.ndarray, plan) -> np.ndarray:
    pixels = textbook(patches_of(features, plan), plan, weights.shape[1:])
    total = weights.sum((1, 2))
    return np.einsum("dyx,myx->md", pixels, weights) / np.where(total > 0, total, 1)[:, None]


@pytest.mark.parametrize("name", PLANS)
def test_weights(op, name) -> None:
    plan = PLANS[name]
    features, masks = features_for(plan), masks_for((plan.source_h, plan.source_w))
    rng = np.random.default_rng(2)
    labels = rng.integers(-1, 4, masks.shape[1:])
    stack = labels == np.arange(5)[:, None, None]
    for shape in (masks.shape[1:], masks.shape):
        weights = (rng.random(shape) * (rng.random(shape) < 0.8)).astype(np.float32)
        expected = weighted_mean(features, masks * weights.astype(float), plan)
        for given in (masks, ops.PackedMasks.pack(masks), [coco(mask, "str") for mask in masks]):
            pooled, area = op(features, given, weights=weights, plan=plan)
            np.testing.assert_allclose(pooled, expected, rtol=0, atol=4e-6)
            np.testing.assert_array_equal(area, masks.sum((1, 2)))
        pooled, area = op(features, labels, weights=weights, count=5, plan=plan)
        np.testing.assert_allclose(
            pooled, weighted_mean(features, stack * weights.astype(float), plan), atol=4e-6
        )
        np.testing.assert_array_equal(area, stack.sum((1, 2)))
        soft = masks * weights
        for given, extra in (
            (soft, None),
            (soft.astype(np.float64), None),
            (masks.astype(np.float32), weights),
        ):
            pooled, area = op(features, given, weights=extra, plan=plan)
            np.testing.assert_allclose(pooled, expected, rtol=0, atol=4e-6)
            np.testing.assert_array_equal(area, (soft > 0).sum((1, 2)))


def test_weights_of_nothing(op) -> None:
    """Pixels without weight have no influence, and a mask of such pixels has a zero row."""
    features = np.ones((1, 4, WIDTH), np.float32)
    features[0, 3] = np.nan
    masks = np.ones((2, 4, 16), bool)
    weights = np.zeros((2, 4, 16), np.float32)
    weights[0, :, :10] = 1e-3
    pooled, area = op(features, masks, weights=weights)
    np.testing.assert_allclose(pooled, [[1] * WIDTH, [0] * WIDTH], atol=1e-6)
    np.testing.assert_array_equal(area, [64, 64])


@pytest.mark.parametrize("bad", [-1e-3, np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("at", [(0, 0), (3, 40)])
def test_bad_weights(op, bad, at) -> None:
    features, masks = np.ones((2, 2, WIDTH), np.float32), np.zeros((1, 4, 41), bool)
    weights = np.ones((4, 41), np.float32)
    weights[at] = bad
    for given, extra in (
        (masks, weights),
        (np.zeros((4, 41), int), weights),
        (masks, weights[None]),
        (weights[None], None),
    ):
        with pytest.raises(MaskError, match="finite and not negative"):
            op(features, given, weights=extra)


def test_negative_zero_is_a_weight(op) -> None:
    pooled, area = op(np.ones((2, 2, WIDTH), np.float32), np.full((1, 4, 4), -0.0, np.float32))
    assert (pooled == 0).all()
    assert area.tolist() == [0]


@pytest.mark.parametrize("shape", [(4, 5), (2, 4, 4), (1, 4), (1, 1, 4, 4)])
def test_weights_of_another_size(op, shape) -> None:
    with pytest.raises(MaskError, match="weights"):
        op(np.ones((2, 2, WIDTH), np.float32), np.ones((1, 4, 4), bool), weights=np.ones(shape, np.float32))


@pytest.mark.parametrize("size", [(480, 640), (300, 257), (256, 256), (100, 130), (333, 200)])
def test_nearest_masks_of_pixelclip(op, size) -> None:
    """Masks to 256 x 256 by torch's nearest, features by its bilinear, then the plain average."""
    torch = pytest.importorskip("torch")
    functional = torch.nn.functional
    rng = np.random.default_rng(0)
    features = rng.standard_normal((5, 7, WIDTH)).astype(np.float32)
    masks = masks_for(size)[:3]
    masks[0, : size[0] // 2] = False
    resized = functional.interpolate(torch.from_numpy(masks[None].astype(np.float32)), (256, 256))[0].double()
    patches = torch.from_numpy(features).permute(2, 0, 1)[None].double()
    pixels = functional.interpolate(patches, (256, 256), mode="bilinear", align_corners=False)[0]
    expected = torch.einsum("myx,dyx->md", resized, pixels) / resized.sum((1, 2))[:, None]
    codes = [coco(mask, "str") for mask in masks]
    for given in (masks, ops.PackedMasks.pack(masks), codes, masks.astype(np.float32)):
        pooled, area = op(features, given, masks_size=(256, 256))
        np.testing.assert_array_equal(area, resized.sum((1, 2)))
        np.testing.assert_allclose(pooled, expected, rtol=0, atol=2e-6)
    labels = np.where(masks[0], 0, 1)
    pooled, area = op(features, labels, masks_size=(256, 256))
    np.testing.assert_allclose(pooled[0], expected[0], rtol=0, atol=2e-6)
    assert area.sum() == 256 * 256
    weights = rng.random(size)
    picked = functional.interpolate(torch.from_numpy(weights)[None, None], (256, 256))[0]
    expected = torch.einsum("myx,dyx->md", resized * picked, pixels) / (resized * picked).sum((1, 2))[:, None]
    for given in (masks, codes):
        pooled, _ = op(features, given, weights=weights, masks_size=(256, 256))
        np.testing.assert_allclose(pooled, expected, rtol=0, atol=4e-6)


@pytest.mark.parametrize(
    "masks",
    [
        np.zeros((2, 4, 4), np.int16),
        np.zeros((2, 4, 4), np.complex64),
        np.zeros((2, 0, 4), bool),
        np.zeros((2, 0, 4), np.float32),
        [np.zeros((4, 4), bool), np.zeros((4, 5), bool)],
        [np.zeros((4, 4), bool), {"size": [4, 4], "counts": [16]}],
        None,
        "abc",
        ops.PackedMasks(np.zeros((2, 4, 1), np.uint8), 9),
        ops.PackedMasks(np.zeros((2, 4, 1), np.uint8), 0),
        ops.PackedMasks(np.zeros((2, 4, 1), bool), 8),
        ops.PackedMasks(np.zeros((2, 0, 1), np.uint8), 8),
        np.zeros((4, 4), bool),
        np.zeros((4, 4), np.float64),
        np.zeros((0, 4), np.int32),
        [{"size": [4, 4], "counts": [3, 4]}],
        [{"size": [4, 4], "counts": [20, -4]}],
        [{"size": [4, 4], "counts": [16]}, {"size": [4, 5], "counts": [20]}],
        [{"size": [4, 4], "counts": b"~"}],
        [{"size": [4, 4], "counts": "P"}],
        [{"size": [4, 4], "counts": "é"}],
        [{"size": [4, 4]}],
        [{"size": [4], "counts": [4]}],
        [{"size": [0, 4], "counts": []}],
    ],
)
def test_bad_masks(op, masks) -> None:
    with pytest.raises(MaskError):
        op(np.zeros((2, 2, WIDTH), np.float32), masks)


@pytest.mark.parametrize("id", [3, 2**31, 2**40, 2**63 - 1])
def test_ids_out_of_range(op, id) -> None:
    with pytest.raises(MaskError, match=f"id {id}"):
        op(np.zeros((2, 2, WIDTH), np.float32), np.full((4, 4), id), count=3)


def test_ids_far_below_zero(op) -> None:
    _, area = op(np.zeros((2, 2, WIDTH), np.float32), np.array([[-(2**40), 0], [1, -(2**31)]]))
    assert area.tolist() == [1, 1]


def test_sizes_that_overflow_32_bits(op) -> None:
    """Refused before anything is allocated."""
    features = np.zeros((2, 2, WIDTH), np.float32)
    huge = np.broadcast_to(np.zeros((), bool), (1, 2, 2**31))
    with pytest.raises(ShapeError, match="sides"):
        op(features, huge)
    with pytest.raises(ShapeError, match="sides"):
        op(features, ops.PackedMasks(np.broadcast_to(np.zeros((), np.uint8), (1, 2, 2**28)), 2**31))
    with pytest.raises(ShapeError, match="sides"):
        op(features, [{"size": [2**16, 2**16], "counts": [2**31, 2**31]}])
    with pytest.raises(ShapeError, match="several calls"):
        op(features, np.broadcast_to(np.zeros((), bool), (2**30, 2, 2)))
    with pytest.raises(ShapeError, match="several calls"):
        op(features, np.zeros((2, 2), int), count=2**31 - 1)
    with pytest.raises(MaskError):
        op(features, np.zeros((2, 2), int), count=2**31)
    with pytest.raises(MaskError):
        op(features, [{"size": [2, 2], "counts": [2**32, 4 - 2**32]}])
    with pytest.raises(MaskError, match="sum to"):
        op(features, [{"size": [2, 2], "counts": [2**32 - 1, 2**32 - 1, 6]}])
    with pytest.raises(ShapeError, match="sides"):
        op(features, np.zeros((1, 4, 4), bool), masks_size=(2**20, 4))


@pytest.mark.parametrize("shape", [(2, 2), (0, 2, 3), (2, 2, 0)])
def test_bad_features(op, shape) -> None:
    with pytest.raises(ShapeError):
        op(np.zeros(shape, np.float32), np.zeros((1, 4, 4), bool))


@pytest.mark.parametrize("dtype", [np.uint16, np.uint32, np.uint64, np.int8])
def test_types_of_label_maps(op, dtype) -> None:
    labels = np.array([[0, 1, 1], [2, 1, 0]], dtype)
    features = np.ones((2, 3, WIDTH), np.float32)
    _, area = op(features, labels)
    assert area.tolist() == [2, 3, 1]
