"""What TensorRT, driver and device a machine has, and what is said where one is missing."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from vocabseg.errors import BackendUnavailable, EngineError
from vocabseg.tensorrt import cuda, device


class FakeDriver(ModuleType):
    """cuda.bindings.driver: every call answers (code, values...)."""

    def __init__(self, **answers) -> None:
        super().__init__("cuda.bindings.driver")
        self.calls: list[tuple] = []
        usual = {
            "cuInit": (0,),
            "cuDeviceGet": (0, 5),
            "cuDevicePrimaryCtxRetain": (0, "context"),
            "cuCtxSetCurrent": (0,),
            "cuDeviceGetName": (0, b"Orin\0\0\0"),
            "cuDeviceGetAttribute": (0, 8),
            "cuMemGetInfo": (0, 1 << 30, 2 << 30),
            "cuMemAlloc": (0, 4096),
            "cuMemFree": (0,),
            "cuStreamCreate": (0, 9),
            "cuMemcpyHtoDAsync": (0,),
            "cuMemcpyDtoHAsync": (0,),
            "cuStreamSynchronize": (0,),
        }
        for name, answer in (usual | answers).items():
            setattr(
                self,
                name,
                lambda *given, name=name, answer=answer: (self.calls.append((name, *given)), answer)[1],
            )
        names = ("MAJOR", "MINOR")
        self.CUdevice_attribute = SimpleNamespace(
            **{f"CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_{name}": name for name in names}
        )


class Code(int):
    """A CUresult: a number with a name."""

    name = "CUDA_ERROR_OUT_OF_MEMORY"


def bindings(monkeypatch, **answers) -> tuple[cuda.CudaBindings, FakeDriver]:
    driver = FakeDriver(**answers)
    monkeypatch.setattr(cuda.importlib, "import_module", lambda name: driver)
    return cuda.CudaBindings(), driver


def test_cuda_bindings(monkeypatch: pytest.MonkeyPatch) -> None:
    gpu, driver = bindings(monkeypatch)
    assert (gpu.device(), gpu.compute_capability(), gpu.free_bytes()) == ("Orin", "8.8", 1 << 30)
    array, stream = np.ones((1, 3), np.float32), gpu.stream()
    address = gpu.allocate(array.nbytes)
    gpu.upload(address, array, stream)
    gpu.download(array, address, stream)
    gpu.synchronize(stream)
    gpu.release(address)
    assert driver.calls[-6:] == [
        ("cuStreamCreate", 1),
        ("cuMemAlloc", 12),
        ("cuMemcpyHtoDAsync", 4096, array.ctypes.data, 12, 9),
        ("cuMemcpyDtoHAsync", array.ctypes.data, 4096, 12, 9),
        ("cuStreamSynchronize", 9),
        ("cuMemFree", 4096),
    ]


def test_cuda_bindings_out_of_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    gpu, _ = bindings(monkeypatch, cuMemAlloc=(Code(2), None))
    with pytest.raises(EngineError, match="the GPU has no 3 MiB left"):
        gpu.allocate(3 << 20)


def test_no_device(monkeypatch: pytest.MonkeyPatch) -> None:
    code = type("Code", (int,), {"name": "CUDA_ERROR_NO_DEVICE"})
    with pytest.raises(BackendUnavailable, match="cuInit failed: CUDA_ERROR_NO_DEVICE; .*nvidia-smi"):
        bindings(monkeypatch, cuInit=(code(100),))


def test_no_binding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cuda.bindings.driver", None)
    monkeypatch.setattr(cuda.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(BackendUnavailable, match=r"pycuda is not installed.*pip install cuda-bindings"):
        cuda.open_cuda()


def test_no_tensorrt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    with pytest.raises(BackendUnavailable, match="tensorrt cannot be imported.*; run: "):
        device.import_tensorrt()


@pytest.mark.parametrize(
    ("version", "fits"),
    [("8.6.1", False), ("10.2.0.19", False), ("10.3.0", True), ("10.16.0.72", True), ("11.4.0.106", True)],
)
def test_versions(monkeypatch: pytest.MonkeyPatch, version: str, fits: bool) -> None:
    module = ModuleType("tensorrt")
    module.__version__ = version
    monkeypatch.setitem(sys.modules, "tensorrt", module)
    if fits:
        assert device.import_tensorrt() is module
    else:
        with pytest.raises(BackendUnavailable, match=f"TensorRT {version} is too old, expected 10.3"):
            device.import_tensorrt()


def test_the_install_command_fits_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "is_tegra", lambda: True)
    assert "apt install python3-libnvinfer" in device.install_command()
    monkeypatch.setattr(device, "is_tegra", lambda: False)
    monkeypatch.setattr(device.platform, "machine", lambda: "x86_64")
    assert device.install_command() == "pip install 'vocabseg[tensorrt]'"


def test_a_jetson_is_recognised(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    compatible = tmp_path / "compatible"
    monkeypatch.setattr(device, "_TEGRA_FILES", (str(tmp_path / "release"), str(compatible)))
    assert not device.is_tegra()
    compatible.write_bytes(b"nvidia,p3768-0000\0nvidia,tegra234\0")
    assert device.is_tegra()


def test_free_memory_of_a_host(tmp_path) -> None:
    (tmp_path / "meminfo").write_text("MemTotal: 9 kB\nMemFree: 1 kB\nMemAvailable:    2048 kB\n")
    assert device.host_free_bytes(str(tmp_path / "meminfo")) == 2 << 20
    assert device.host_free_bytes(str(tmp_path / "none")) is None


@pytest.mark.parametrize(("tegra", "free"), [(False, 1 << 30), (True, 2 << 20)])
def test_the_machine(monkeypatch: pytest.MonkeyPatch, tegra: bool, free: int) -> None:
    gpu, _ = bindings(monkeypatch)
    monkeypatch.undo()
    monkeypatch.setattr(device, "import_tensorrt", lambda: SimpleNamespace(__version__="10.3.0"))
    monkeypatch.setattr(device, "open_cuda", lambda: gpu)
    monkeypatch.setattr(device, "is_tegra", lambda: tegra)
    monkeypatch.setattr(device, "host_free_bytes", lambda: 2 << 20)
    found = device.TensorRT().machine()
    assert (found.tensorrt, found.device, found.tegra, found.free_bytes) == ("10.3.0", "Orin", tegra, free)
