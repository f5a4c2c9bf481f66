from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from vocabseg import ops
from vocabseg.errors import BackendUnavailable
from vocabseg.ops import registry

FEATURES, TEXT = np.ones((2, 3), np.float32), np.ones((1, 3), np.float32)


@pytest.mark.parametrize("name", registry.FOLDERS)
def test_every_op_has_a_core_and_a_reference(name) -> None:
    found = {item.id.partition("/")[2]: item for item in ops.implementations(name)}
    assert set(found) == {"triton", "cubin", "cpu", "reference"}
    assert all(item.reason for item in found.values())
    assert [key for key, item in found.items() if item.available] == ["cpu", "reference"]
    assert hasattr(ops, name)


@pytest.mark.parametrize("name", registry.FOLDERS)
def test_auto_takes_triton_for_arrays_on_a_gpu(name) -> None:
    pytest.importorskip("triton")
    if registry.FOLDERS[name] == "clustering":  # small and irregular: on the CPU only
        with pytest.raises(BackendUnavailable, match="no such implementation"):
            ops.choose(name, device="cuda:0")
        return
    assert ops.choose(name, device="cuda:0").id == f"{registry.FOLDERS[name]}/triton"


def test_triton_refuses_arrays_on_the_cpu() -> None:
    with pytest.raises(BackendUnavailable, match="CUDA device"):
        ops.patch_text_similarity(FEATURES, TEXT, impl="triton")


@pytest.mark.parametrize("impl", ["reference", "patch_text_similarity/reference"])
def test_explicit_choice(impl) -> None:
    with ops.record() as used:
        ops.patch_text_similarity(FEATURES, TEXT, impl=impl)
    assert used == ["patch_text_similarity/reference"]


@pytest.mark.parametrize("impl", ["cuda", "mask_pooling/cpu", ""])
def test_unknown_choice_raises(impl) -> None:
    with pytest.raises(BackendUnavailable, match="has no implementation"):
        ops.patch_text_similarity(FEATURES, TEXT, impl=impl)


def test_unknown_op_raises() -> None:
    with pytest.raises(BackendUnavailable, match="no op"):
        ops.implementations("blur")


def test_auto_never_falls_back_to_the_reference(monkeypatch) -> None:
    monkeypatch.setitem(registry.MODULES, "cpu", ".absent")
    with pytest.raises(BackendUnavailable, match="absent"):
        ops.patch_text_similarity(FEATURES, TEXT)
    found = ops.implementations("patch_text_similarity")
    assert [item.available for item in found] == [False, False, False, True]


def test_nothing_heavy_is_imported() -> None:
    code = """
import sys
from vocabseg import ops
ops.choose("mask_pool")
ops.implementations("mask_pool")
print({"torch", "triton", "cv2", "scipy", "tensorrt"} & set(sys.modules))
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "set()"
