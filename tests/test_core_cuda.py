"""vocabseg._core.cuda through a CUDA driver without a GPU (cpp/tests/cuda); the rest is tested in C++."""

from __future__ import annotations

import ctypes
import hashlib
import json
import shutil
import struct
from pathlib import Path

import numpy as np
import pytest

import fake_driver
from vocabseg.core import load_core
from vocabseg.errors import BackendUnavailable, BundleError, ShapeError

cuda = load_core().cuda
IMAGE = b"image\0"


@pytest.fixture(scope="module")
def library(tmp_path_factory) -> str:
    """The path of the fake driver."""
    if shutil.which("c++") is None:
        pytest.skip("needs a C++ compiler")
    return fake_driver.build(tmp_path_factory.mktemp("driver"))


@pytest.fixture
def driver(library) -> ctypes.CDLL:
    driver = ctypes.CDLL(library)
    driver.fake_cuda_launches.restype = ctypes.c_char_p
    driver.fake_cuda_reset()
    return driver


@pytest.fixture
def folder(tmp_path) -> Path:
    """A set with one kernel for sm_87."""
    arguments = [("out", "pointer", 0, 8, 16), ("n", "i32", 8, 4, 1), ("scale", "f32", 12, 4, 1)]
    keys = ("name", "type", "offset", "size", "divisible_by")
    kernel = {
        "kernel": "scale",
        "dtype": "fp16",
        "variant": {"ADD": 1},
        "arch": 87,
        "exact_arch": False,
        "file": "sm_87.cubins",
        "offset": 0,
        "size": len(IMAGE),
        "sha256": hashlib.sha256(IMAGE).hexdigest(),
        "symbol": "_scale",
        "warps": 2,
        "shared_bytes": 0,
        "global_scratch_bytes": 0,
        "profile_scratch_bytes": 0,
        "arguments": [dict(zip(keys, values, strict=True)) for values in arguments],
        "grid": [[{"argument": "n", "divisor": 32}]],
    }
    (tmp_path / "sm_87.cubins").write_bytes(IMAGE)
    (tmp_path / "manifest.json").write_text(json.dumps({"schema": 1, "kernels": [kernel]}))
    return tmp_path


def test_set_is_described_without_a_driver(folder):
    kernels = cuda.CubinSet.open(str(folder), library="libcuda-of-nobody.so.1")
    kernels.verify()
    assert kernels.architectures == [87]
    [cubin] = kernels.kernels
    assert (cubin.kernel, cubin.dtype, cubin.variant, cubin.exact_arch) == (
        "scale",
        "fp16",
        {"ADD": 1},
        False,
    )
    assert kernels.choose("scale", "fp16", {"ADD": 1}, 87).arch == 87
    assert (cubin.runs_on(87), cubin.runs_on(89)) == (True, False)
    with pytest.raises(BackendUnavailable, match="libcuda-of-nobody.so.1 is not installed"):
        kernels.launch("scale", "fp16", {"ADD": 1}, {}, stream=0)


def test_devices(library, driver):
    driver.fake_cuda_set_device(b"Fake Orin", 8, 7)
    [device] = cuda.devices(library)
    assert (device.index, device.name, device.arch) == (0, "Fake Orin", 87)
    with pytest.raises(BackendUnavailable, match="is not installed"):
        cuda.devices("libcuda-of-nobody.so.1")


@pytest.mark.parametrize("number", [int, np.int64])
def test_launch(folder, library, driver, number):
    driver.fake_cuda_set_device(b"Fake Orin", 8, 7)
    kernels = cuda.CubinSet.open(str(folder), library)
    arguments = {"scale": 0.5, "out": number(0x7000), "n": number(33)}
    kernels.launch("scale", "fp16", {"ADD": 1}, arguments, stream=5)
    parameters = struct.pack("<Qif", 0x7000, 33, 0.5).hex()
    assert driver.fake_cuda_launches().decode() == f"image _scale 2,1,1 64,1,1 0 5 {parameters}\n"


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"out": 8}, ShapeError, "aligned to 16 bytes"),
        ({"n": 1 << 64}, ShapeError, "n is 18446744073709551616, expected an integer of 64 bits"),
        ({"n": 1 << 31}, ShapeError, "32-bit"),
        ({"n": 2.0}, ShapeError, "expected an integer"),
        ({"m": 2}, ShapeError, "unknown argument m"),
        ({"n": "2"}, TypeError, "real number, not str"),
    ],
)
def test_arguments_that_do_not_fit(folder, library, driver, change, error, message):
    driver.fake_cuda_set_device(b"Fake Orin", 8, 7)
    kernels = cuda.CubinSet.open(str(folder), library)
    with pytest.raises(error, match=message):
        kernels.launch("scale", "fp16", {"ADD": 1}, {"out": 0, "n": 1, "scale": 1, **change}, stream=0)
    assert driver.fake_cuda_launches() == b""


def test_altered_pack(folder, library, driver):
    driver.fake_cuda_set_device(b"Fake Orin", 8, 7)
    (folder / "sm_87.cubins").write_bytes(b"imagE\0")
    kernels = cuda.CubinSet.open(str(folder), library)
    with pytest.raises(BundleError, match="is altered"):
        kernels.verify()
    with pytest.raises(BundleError, match="is altered"):
        kernels.launch("scale", "fp16", {"ADD": 1}, {"out": 0, "n": 1, "scale": 1}, stream=0)
