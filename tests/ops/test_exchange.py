"""Arrays of every library in, results of the same kind out."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import numpy as np
import pytest

from vocabseg import ops
from vocabseg.errors import BackendUnavailable, ShapeError

torch = pytest.importorskip("torch")

FEATURES = np.random.default_rng(0).standard_normal((12, 8), dtype=np.float32)
TEXT = np.random.default_rng(1).standard_normal((3, 8), dtype=np.float32)


class OnlyDlpack:
    """An array of some other library."""

    def __init__(self, array: np.ndarray) -> None:
        self._array = array

    def __dlpack__(self, **kwargs):
        return self._array.__dlpack__(**kwargs)

    def __dlpack_device__(self):
        return self._array.__dlpack_device__()


@pytest.mark.parametrize("wrap, kind", [(np.asarray, np.ndarray), (torch.from_numpy, torch.Tensor)])
def test_same_kind_out(wrap, kind) -> None:
    scores = ops.patch_text_similarity(wrap(FEATURES), wrap(TEXT))
    assert isinstance(scores, kind)
    np.testing.assert_array_equal(scores, ops.patch_text_similarity(FEATURES, TEXT))
    labels, best = ops.decode_labels(scores.reshape(3, 3, 4), (20, 30), return_scores=True)
    pooled, area = ops.mask_pool(wrap(FEATURES.reshape(3, 4, 8)), labels)
    assert all(isinstance(result, kind) for result in (labels, best, pooled, area))
    maps = ops.upsample_scores(scores.reshape(3, 3, 4), (20, 30))
    image = wrap(np.zeros((20, 30, 3), np.uint8))
    assert isinstance(ops.pamr(maps, image), kind)
    plan = ops.window_plan((20, 30), crop=20, stride=10, patch=4)
    assert isinstance(ops.preprocess(image, plan), kind)


def test_many_classes_as_tensors() -> None:
    scores = torch.randn(300, 2, 2)
    assert ops.decode_labels(scores, (4, 4)).dtype == torch.uint16


def test_dlpack() -> None:
    scores = ops.patch_text_similarity(OnlyDlpack(FEATURES), OnlyDlpack(TEXT))
    assert isinstance(scores, np.ndarray)
    np.testing.assert_array_equal(scores, ops.patch_text_similarity(FEATURES, TEXT))


def test_cuda_array_interface(monkeypatch) -> None:
    """Of an array that does not speak DLPack, such as numba's; torch on the CPU stands for torch on the GPU."""
    array = SimpleNamespace(__cuda_array_interface__={"shape": FEATURES.shape})
    asked = []

    def as_tensor(given, device):
        asked.append((given, device))
        return torch.from_numpy(FEATURES)

    monkeypatch.setattr(torch, "as_tensor", as_tensor)
    scores = ops.patch_text_similarity(array, TEXT)
    np.testing.assert_array_equal(scores, ops.patch_text_similarity(FEATURES, TEXT))
    assert asked == [(array, "cuda")]


@pytest.mark.parametrize("protocol", ["__cuda_array_interface__", "__dlpack_device__"])
def test_arrays_on_a_gpu_without_torch(monkeypatch, protocol: str) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    array = SimpleNamespace(**{protocol: lambda: (2, 0)})
    with pytest.raises(ShapeError, match="passed through torch: pip install torch"):
        ops.patch_text_similarity(array, TEXT)


def test_memory_is_shared_with_tensors() -> None:
    tensor = torch.from_numpy(FEATURES.copy())
    given = ops.exchange.Given(tensor.requires_grad_())
    assert given.arrays[0].ctypes.data == tensor.data_ptr()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_other_float_types(dtype) -> None:
    features, text = torch.from_numpy(FEATURES).to(dtype), torch.from_numpy(TEXT).to(dtype)
    expected = ops.patch_text_similarity(features.float(), text.float())
    torch.testing.assert_close(ops.patch_text_similarity(features, text), expected, rtol=0, atol=1e-6)


def test_tensors_elsewhere() -> None:
    with pytest.raises(ShapeError, match="meta"):
        ops.patch_text_similarity(torch.zeros(2, 3, device="meta"), torch.zeros(2, 3, device="meta"))


def test_the_core_refuses_arrays_on_a_gpu() -> None:
    with pytest.raises(BackendUnavailable, match="cuda:0"):
        ops.choose("mask_pool", "cpu", "cuda:0")
    assert ops.choose("mask_pool").id == "mask_pooling/cpu"
