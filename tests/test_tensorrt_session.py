"""Running an engine from Python: what TensorRT and the CUDA driver are asked, on stand-ins for both."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from vocabseg.errors import BackendUnavailable, EngineError
from vocabseg.tensorrt import cuda, device
from vocabseg.tensorrt.session import EngineSession

MODES = SimpleNamespace(INPUT="in", OUTPUT="out")


class FakeCuda:
    """Device memory as a dictionary of byte strings."""

    name = "fake"

    def __init__(self) -> None:
        self.memory: dict[int, bytes] = {}
        self.calls: list[str] = []

    def allocate(self, size: int) -> int:
        self.calls.append(f"allocate {size}")
        address = 1000 * (len(self.calls) + 1)
        self.memory[address] = bytes(size)
        return address

    def release(self, address: int) -> None:
        self.calls.append("release")
        del self.memory[address]

    def stream(self) -> int:
        return 7

    def upload(self, address: int, array: np.ndarray, stream: int) -> None:
        assert stream == 7 and array.flags.c_contiguous and array.nbytes <= len(self.memory[address])
        self.calls.append("upload")
        self.memory[address] = array.tobytes() + self.memory[address][array.nbytes :]

    def download(self, array: np.ndarray, address: int, stream: int) -> None:
        self.calls.append("download")
        array[:] = np.frombuffer(self.memory[address], array.dtype, array.size).reshape(array.shape)

    def synchronize(self, stream: int) -> None:
        self.calls.append("synchronize")


class FakeEngine:
    """One network: y = 2 x for x float32 [1 to 4, 3]."""

    num_io_tensors = 2

    def __init__(self, memory: FakeCuda, works: bool = True) -> None:
        self.cuda, self.works = memory, works

    def get_tensor_name(self, index: int) -> str:
        return "xy"[index]

    def get_tensor_mode(self, name: str) -> str:
        return {"x": MODES.INPUT, "y": MODES.OUTPUT}[name]

    def get_tensor_dtype(self, name: str) -> str:
        return "float"

    def get_tensor_profile_shape(self, name: str, profile: int):
        return (1, 3), (2, 3), (4, 3)

    def create_execution_context(self):
        return FakeContext(self)


class FakeContext:
    def __init__(self, engine: FakeEngine) -> None:
        self.engine, self.addresses = engine, {}

    def set_input_shape(self, name: str, shape) -> None:
        self.shape = tuple(shape)

    def get_tensor_shape(self, name: str):
        return self.shape

    def set_tensor_address(self, name: str, address: int) -> None:
        self.addresses[name] = address

    def execute_async_v3(self, stream: int) -> bool:
        memory = self.engine.cuda.memory
        self.engine.cuda.calls.append("execute")
        count = int(np.prod(self.shape))
        x, y = (np.frombuffer(memory[self.addresses[name]], np.float32) for name in "xy")
        memory[self.addresses["y"]] = np.append(2 * x[:count], y[count:]).tobytes()
        return self.engine.works


class FakeLogger:
    INTERNAL_ERROR, ERROR, WARNING = range(3)


def fake_trt(engine) -> SimpleNamespace:
    def runtime(logger):
        logger.log(FakeLogger.ERROR, "TensorRT's own words")
        return SimpleNamespace(deserialize_cuda_engine=lambda plan: engine)

    return SimpleNamespace(
        ILogger=type("ILogger", (FakeLogger,), {"__init__": lambda self: None}),
        Runtime=runtime,
        TensorIOMode=MODES,
        nptype=lambda dtype: np.float32,
    )


@pytest.fixture
def memory() -> FakeCuda:
    return FakeCuda()


@pytest.fixture
def session(memory: FakeCuda) -> EngineSession:
    return EngineSession(fake_trt(FakeEngine(memory)), memory, b"plan")


def rows(count: int) -> np.ndarray:
    return np.arange(3 * count, dtype=np.float32).reshape(count, 3)


def test_one_copy_up_one_run_one_copy_down(session: EngineSession, memory: FakeCuda) -> None:
    result = session.run({"x": rows(2)[:, ::-1]})  # not contiguous
    np.testing.assert_array_equal(result["y"], 2 * rows(2)[:, ::-1])
    assert memory.calls == [
        "allocate 24",
        "upload",
        "allocate 24",
        "execute",
        "download",
        "synchronize",
    ]


def test_buffers_grow_and_are_kept(session: EngineSession, memory: FakeCuda) -> None:
    for count in (4, 2, 1, 4):
        np.testing.assert_array_equal(session.run({"x": rows(count)})["y"], 2 * rows(count))
    assert [call for call in memory.calls if call.startswith("allocate")] == ["allocate 48"] * 2
    assert len(memory.memory) == 2 and "release" not in memory.calls


def test_a_larger_batch_replaces_its_buffers(session: EngineSession, memory: FakeCuda) -> None:
    session.run({"x": rows(1)})
    session.run({"x": rows(3)})
    assert memory.calls.count("release") == 2 and len(memory.memory) == 2


def test_close_gives_everything_back(session: EngineSession, memory: FakeCuda) -> None:
    session.run({"x": rows(1)})
    session.close()
    assert memory.memory == {}


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"x": rows(5)}, r"input x is \[5, 3\], the engine's profile holds \[1, 3\] to \[4, 3\]; .*--batch"),
        ({"x": rows(2)[0]}, r"input x is \[3\]"),
        ({"x": rows(2).astype(np.float64)}, "input x is float64, the engine expects float32"),
        ({"windows": rows(2)}, "inputs are x, got windows"),
        ({}, "inputs are x"),
    ],
)
def test_inputs_that_do_not_fit(session: EngineSession, memory: FakeCuda, inputs, message: str) -> None:
    with pytest.raises(EngineError, match=message):
        session.run(inputs)
    assert memory.calls == []


def test_a_plan_that_tensorrt_refuses(memory: FakeCuda) -> None:
    with pytest.raises(
        EngineError, match="cannot load the engine: TensorRT's own words; run: vocabseg build"
    ):
        EngineSession(fake_trt(None), memory, b"plan")


def test_no_room_for_a_context(memory: FakeCuda) -> None:
    engine = FakeEngine(memory)
    engine.create_execution_context = lambda: None
    with pytest.raises(
        EngineError, match="cannot run the engine: TensorRT's own words; use a smaller --batch"
    ):
        EngineSession(fake_trt(engine), memory, b"plan")


def test_a_run_that_fails(memory: FakeCuda) -> None:
    session = EngineSession(fake_trt(FakeEngine(memory, works=False)), memory, b"plan")
    with pytest.raises(EngineError, match="failed to run the engine"):
        session.run({"x": rows(1)})


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
    array, stream = rows(1), gpu.stream()
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
