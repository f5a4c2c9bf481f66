"""The ``/cubin`` implementations: the ops' host code, the manifest and the core's loader, with a driver that has no GPU."""

from __future__ import annotations

import ctypes
import struct
import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch

import fake_driver
from vocabseg import _core, ops
from vocabseg.errors import BackendUnavailable, ShapeError
from vocabseg.kernels.aot import FOLDER
from vocabseg.kernels.aot.architectures import ARCHITECTURES
from vocabseg.kernels.aot.workloads import WORKLOADS
from vocabseg.kernels.patch_text_similarity.triton import SIMILARITY
from vocabseg.ops import cubin, registry
from vocabseg.ops.gpu import GpuOps
from vocabseg.ops.mask_forms import Masks

STREAM = 7


def fits(argument: dict, value: object) -> bool:
    if argument["type"] == "pointer":
        return isinstance(value, torch.Tensor) and value.is_contiguous()
    if argument["type"] == "f32":
        return isinstance(value, float)
    bits = 8 * argument["size"] - 1
    divisible = isinstance(value, int) and value % argument["divisible_by"] == 0
    return divisible and -(1 << bits) <= value < 1 << bits


@pytest.mark.parametrize("title", WORKLOADS)
def test_host_code_passes_what_the_manifest_asks_for(entries, title) -> None:
    def launch(kernel, dtype, variant, arguments) -> None:
        wanted = (kernel.name, dtype, variant)
        entry = next(e for e in entries if (e["kernel"], e["dtype"], e["variant"]) == wanted)
        declared = {a["name"]: a for a in entry["arguments"] if not a["name"].endswith("_scratch")}
        assert set(arguments) == set(declared)
        assert [name for name, value in arguments.items() if not fits(declared[name], value)] == []
        launched.append(kernel.name)

    launched: list[str] = []
    WORKLOADS[title](GpuOps(launch))
    assert launched


@pytest.fixture(scope="module")
def library(tmp_path_factory) -> str:
    return fake_driver.build(tmp_path_factory.mktemp("driver"))


@pytest.fixture
def driver(library, monkeypatch) -> ctypes.CDLL:
    """A driver of one Orin without a GPU; what is launched can be read from it."""
    driver = ctypes.CDLL(library)
    driver.fake_cuda_launches.restype = ctypes.c_char_p
    driver.fake_cuda_reset()
    driver.fake_cuda_set_device(b"Fake Orin", 8, 7)
    cubins = _core.cuda.CubinSet.open(str(FOLDER), library)
    monkeypatch.setattr(cubin, "cubin_set", lambda: cubins)
    devices = _core.cuda.devices
    monkeypatch.setattr(_core.cuda, "devices", lambda: devices(library))
    stream = SimpleNamespace(cuda_stream=STREAM, device_index=0)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: stream)
    return driver


def test_check(driver) -> None:
    assert cubin.check("cuda:0") == "compiled ahead of time for Fake Orin (sm_87)"
    with pytest.raises(BackendUnavailable, match=r"shows devices \[0\], expected 1"):
        cubin.check("cuda:1")
    with pytest.raises(BackendUnavailable, match="expected a CUDA device"):
        cubin.check("cpu")


@pytest.mark.parametrize(("device", "code"), [*((arch, arch) for arch in ARCHITECTURES), (88, 86)])
def test_devices_that_run_the_set(driver, entries, device, code) -> None:
    driver.fake_cuda_set_device(b"Some GPU", *divmod(device, 10))
    assert cubin.check("cuda") == f"compiled ahead of time for Some GPU (sm_{device})"
    wanted = [(entry["kernel"], entry["dtype"], entry["variant"]) for entry in entries]
    assert {cubin.cubin_set().choose(*kernel, device).arch for kernel in wanted} == {code}


@pytest.mark.parametrize("device", [72, 75, 101, 103, 121])
def test_devices_that_do_not(driver, device) -> None:
    driver.fake_cuda_set_device(b"Some GPU", *divmod(device, 10))
    with pytest.raises(BackendUnavailable, match=f"Some GPU is sm_{device}, the cubins are for sm_80, "):
        cubin.check("cuda")


def test_launch_reaches_the_driver(driver) -> None:
    features, text = torch.ones(1, 70, 32, dtype=torch.float16), torch.ones(5, 32, dtype=torch.float16)
    scores = cubin.patch_text_similarity(
        features, text, normalize=True, query_to_class=None, classes=0, threads=None
    )
    line = driver.fake_cuda_launches().decode("latin-1").strip()
    _, symbol, grid, block, _, stream, parameters = line.rsplit(" ", 6)
    assert (symbol, grid, block, stream) == ("_similarity", "2,1,1", "128,1,1", str(STREAM))
    addresses = [tensor.data_ptr() for tensor in (features, text, scores)]
    assert struct.unpack("<QQQiiii", bytes.fromhex(parameters)[:40]) == (*addresses, 1, 70, 5, 32)
    assert bytes.fromhex(parameters)[40:] == bytes(16)


def test_widths_that_are_no_multiple_of_16(driver) -> None:
    features, text = torch.ones(1, 3, 20), torch.ones(2, 20)
    scores = cubin.patch_text_similarity(
        features, text, normalize=False, query_to_class=None, classes=0, threads=None
    )
    parameters = bytes.fromhex(driver.fake_cuda_launches().decode("latin-1").split()[-1])
    assert struct.unpack_from("<iiii", parameters, 24) == (1, 3, 2, 32)
    assert scores.shape == (1, 2, 3)
    pooled, area = cubin.mask_pool(
        torch.ones(1, 4, 20),
        Masks("bool", torch.ones(2, 8, 8, dtype=torch.bool), 2, (8, 8)),
        ops.WindowPlan(8, 8, 8, 8, 8, 8, 8, 8, 0, 0, (0,), (0,), 2, 2),
        threads=None,
    )
    assert (pooled.shape, area.shape) == ((2, 20), (2,))


def test_misaligned_arguments_are_refused(driver) -> None:
    arguments = {"features": torch.ones(33)[1:], "text": torch.ones(32), "scores": torch.ones(32)}
    sizes = {"batch": 1, "n": 1, "q": 1, "d": 32}
    with pytest.raises(ShapeError, match="aligned to 16 bytes"):
        cubin.launch(SIMILARITY, "fp32", {"NORMALIZE": 1}, arguments | sizes)


def test_registry_says_why_not() -> None:
    for op, name in registry.FOLDERS.items():
        (found,) = [item for item in ops.implementations(op, "cuda:0") if item.id == f"{name}/cubin"]
        assert not found.available
        assert found.reason


def test_triton_is_not_needed() -> None:
    """Neither by the check nor by an op's host code."""
    code = """
import sys
sys.modules["triton"] = None
from vocabseg.kernels.aot.workloads import WORKLOADS, launches
assert all(launches(run) for run in WORKLOADS.values())
"""
    subprocess.run([sys.executable, "-c", code], check=True)
