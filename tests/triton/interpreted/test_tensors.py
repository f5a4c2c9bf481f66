"""The way of a CUDA tensor: torch tensors reach the kernels as they are, and results are tensors. They lie on the CPU
here, where the interpreter is; only the device's name is changed."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from vocabseg import ops, rle
from vocabseg.ops import exchange

rng = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def on_a_gpu(monkeypatch) -> None:
    monkeypatch.setattr(exchange, "_read_tensor", lambda tensor: (tensor.detach(), "cuda:0"))


def check(op: str, *args, **kwargs) -> None:
    """Tensors give what NumPy arrays give, and the choice is automatic."""
    with ops.record() as used:
        results = getattr(ops, op)(*(_tensor(arg) for arg in args), **kwargs)
    assert used and all(id.endswith("/triton") for id in used)
    expected = getattr(ops, op)(*args, impl="triton", **kwargs)
    results, expected = ((item if isinstance(item, tuple) else (item,)) for item in (results, expected))
    for result, array in zip(results, expected, strict=True):
        assert isinstance(result, torch.Tensor)
        np.testing.assert_array_equal(result.numpy(), array)


def _tensor(array):
    return torch.from_numpy(array) if isinstance(array, np.ndarray) else array


def floats(*shape: int) -> np.ndarray:
    return rng.standard_normal(shape).astype(np.float32)


def test_similarity() -> None:
    check("patch_text_similarity", floats(2, 9, 8), floats(3, 8))
    check("patch_text_similarity", floats(9, 8), floats(3, 8), query_to_class=[0, 1, 0])
    check("top_classes", floats(9, 8), floats(3, 8))


def test_decoding() -> None:
    check("decode_labels", floats(3, 2, 4), (9, 7), return_scores=True)
    check("decode_labels", floats(300, 2, 4), (9, 7))
    check("decode_labels", floats(3, 2, 4), (9, 7), area_threshold=0.3)
    check("upsample_scores", floats(3, 2, 4), (9, 7))


def test_regions() -> None:
    regions = rng.integers(-1, 4, (9, 7))
    scores = floats(3, 2, 4)
    labels, shares = ops.decode_labels(_tensor(scores), (9, 7), regions=_tensor(regions), return_scores=True)
    expected = ops.decode_labels(scores, (9, 7), regions=regions, return_scores=True, impl="triton")
    np.testing.assert_array_equal(labels.numpy(), expected[0])
    np.testing.assert_array_equal(shares.numpy(), expected[1])


@pytest.mark.parametrize("form", ["bool", "uint8", "labels", "soft", "codes"])
def test_masks(form) -> None:
    masks = rng.random((3, 9, 7)) < 0.4
    labels = rng.integers(-1, 4, (9, 7))
    codes = [{"size": [9, 7], "counts": rle.encode(mask).tolist()} for mask in masks]
    soft = rng.random((3, 9, 7), dtype=np.float32)
    forms = {"bool": masks, "uint8": masks.astype(np.uint8), "labels": labels, "soft": soft, "codes": codes}
    check("mask_pool", floats(2, 3, 8), forms[form])
    check("mask_classification", floats(2, 3, 8), forms[form], floats(4, 8))


def test_attention() -> None:
    check("correlative_attention", *(floats(1, 2, 9, 8) for _ in "qkv"), ("qq", "kk"))


def test_attention_of_views() -> None:
    """q, k and v as a projection leaves them, without copies."""
    qkv = torch.from_numpy(floats(1, 9, 3, 2, 16)).permute(2, 0, 3, 1, 4)
    result = ops.correlative_attention(*qkv, ("qq", "qk"))
    expected = ops.correlative_attention(*qkv.contiguous().numpy(), ("qq", "qk"), impl="triton")
    np.testing.assert_array_equal(result.numpy(), expected)


def test_pixels() -> None:
    image = rng.integers(0, 256, (12, 14, 3), dtype=np.uint8)
    plan = ops.window_plan((10, 11), crop=8, stride=4, patch=4, source=(12, 14))
    for settings in ({"resize": "bilinear"}, {"resize": "bicubic"}, {"channels": "bgr", "dtype": "float16"}):
        check("preprocess", image, plan, **settings)
    check("pamr", floats(2, 12, 14), image, steps=2, dilations=(1, 3))


def test_one_process_on_two_devices_is_refused() -> None:
    with pytest.raises(ops.arrays.ShapeError, match="one device"):
        ops.patch_text_similarity(_tensor(floats(9, 8)), floats(3, 8))
