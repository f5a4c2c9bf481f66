"""What TensorRT, driver and device a machine has, and what is said where one is missing."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace

import pytest

import fake_bindings
from fake_gpu import FakeGpu
from vocabseg.errors import BackendUnavailable
from vocabseg.tensorrt import device
from vocabseg.tensorrt.key import Machine


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
@pytest.mark.parametrize("binding", fake_bindings.NAMES)
def test_the_machine(monkeypatch: pytest.MonkeyPatch, binding: str, tegra: bool, free: int) -> None:
    fake_bindings.install(monkeypatch, FakeGpu(), *fake_bindings.NAMES)
    monkeypatch.setattr(device, "import_tensorrt", lambda: SimpleNamespace(__version__="10.3.0"))
    monkeypatch.setattr(device, "is_tegra", lambda: tegra)
    monkeypatch.setattr(device, "host_free_bytes", lambda: 2 << 20)
    found = device.TensorRT(binding).machine()
    assert found == Machine("10.3.0", "8.7", "Orin", tegra, free)
