"""doctor: complete on a healthy machine, and still there on a broken one."""

from __future__ import annotations

import json
import sys

import pytest

import fake_core
from vocabseg import core, doctor
from vocabseg.cli import main
from vocabseg.errors import BackendUnavailable
from vocabseg.tensorrt import device, process


@pytest.fixture(autouse=True)
def fake(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("VOCABSEG_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(core, "load_core", fake_core.module)
    monkeypatch.setattr(core, "DEMO", fake_core.make_bundle(tmp_path / "demo"))


def findings() -> dict[str, doctor.Finding]:
    return {finding.name: finding for finding in doctor.examine()}


def test_a_healthy_machine(capsys) -> None:
    found = findings()
    assert {
        "python",
        "numpy",
        "pillow",
        "openvino",
        "core",
        "cpu features",
        "demo bundle",
        "cache",
        "av",
    } <= set(found)
    assert found["engine openvino-cpu"].status == doctor.OK
    assert found["engine tensorrt"].status == doctor.OPTIONAL
    assert "libnvinfer" in found["engine tensorrt"].detail
    assert "pip install" in found["engine tensorrt"].fix
    assert main(["doctor"]) == 0
    output = capsys.readouterr().out
    assert output.endswith("ready to segment\n")
    assert main(["doctor", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["ok"] is True
    assert {"name", "status", "detail", "fix"} == set(report["findings"][0])


def test_text_fits_80_columns_but_commands_stay_whole(capsys) -> None:
    main(["doctor"])
    for line in capsys.readouterr().out.splitlines():
        assert len(line) <= 80 or "fix:" in line or "/" in line


def test_a_core_that_does_not_load(monkeypatch, capsys) -> None:
    def fail() -> None:
        raise BackendUnavailable("gone") from ImportError("libopenvino.so: no such file")

    monkeypatch.setattr(core, "load_core", fail)
    found = findings()
    assert found["core"].status == doctor.BROKEN
    assert "libopenvino" in found["core"].detail
    assert "pip install" in found["core"].fix
    assert main(["doctor"]) == 1
    assert "not ready" in capsys.readouterr().out


def test_a_broken_package(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    found = findings()
    assert found["openvino"].status == doctor.BROKEN
    assert found["openvino"].fix == "pip install --force-reinstall openvino"
    assert found["core"].status == doctor.OK


def test_a_shadowed_package(monkeypatch) -> None:
    monkeypatch.setattr("numpy.__version__", "0.9")
    assert "0.9 is loaded" in findings()["numpy"].detail


def test_a_missing_demo(monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(core, "DEMO", tmp_path / "none")
    assert findings()["demo bundle"].status == doctor.BROKEN


def test_a_cache_that_cannot_be_written(monkeypatch, tmp_path) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("VOCABSEG_HOME", str(tmp_path / "file"))
    found = findings()["cache"]
    assert found.status == doctor.OPTIONAL
    assert "VOCABSEG_HOME" in found.fix


def test_a_probe_that_fails_is_a_finding(monkeypatch) -> None:
    def _system():
        raise RuntimeError("surprise")

    monkeypatch.setattr(doctor, "_system", _system)
    assert "surprise" in findings()["system"].detail


def test_tensorrt_is_not_installed(monkeypatch) -> None:
    monkeypatch.setattr(doctor.importlib.util, "find_spec", lambda name: None)
    found = findings()["tensorrt build"]
    assert found.status == doctor.OPTIONAL and "not installed" in found.detail
    assert "pip install" in found.fix or "apt install" in found.fix


def test_tensorrt_says_why_it_does_not_run(monkeypatch) -> None:
    monkeypatch.setattr(doctor.importlib.util, "find_spec", lambda name: object())
    monkeypatch.setattr(process, "run", fail_with(BackendUnavailable("no GPU here; run: nvidia-smi")))
    found = findings()["tensorrt build"]
    assert (found.status, found.detail, found.fix) == (doctor.OPTIONAL, "no GPU here", "nvidia-smi")


def test_tensorrt_runs(monkeypatch) -> None:
    machine = {"tensorrt": "10.3.0", "device": "Orin", "compute_capability": "8.7", "tegra": True}
    monkeypatch.setattr(doctor.importlib.util, "find_spec", lambda name: object())
    monkeypatch.setattr(process, "run", lambda *arguments: {**machine, "free_bytes": 5.1e9})
    found = findings()["tensorrt build"]
    assert found.status == doctor.OK
    assert found.detail == "TensorRT 10.3.0 on Orin, SM 8.7, 5.1 GB of memory shared with the host free"


NOT_BUILT = (
    "libvocabseg_tensorrt.so cannot be opened: libvocabseg_tensorrt.so: cannot open shared object file: "
    "No such file or directory; build it with -DVOCABSEG_TENSORRT=ON where TensorRT is installed"
)
OLD_INTERFACE = "libvocabseg_tensorrt.so has version 0 of its interface, expected version 1"
NO_NVINFER = (
    "libvocabseg_tensorrt.so cannot be opened: libnvinfer.so.10: cannot open shared object file: "
    "No such file or directory; install libnvinfer.so.10, which libvocabseg_tensorrt.so was built with"
)
NO_DRIVER = "libcuda.so.1 is not installed: libcuda.so.1: cannot open shared object file"
OLD_DRIVER = "the NVIDIA driver supports CUDA 11.0, expected 12.0 or newer; update the driver"
NO_DEVICE = "cuInit failed: CUDA_ERROR_NO_DEVICE; check that nvidia-smi shows a device"
ON_X86 = {
    NOT_BUILT: "pip install 'tensorrt>=10.14,<11' && CMAKE_ARGS=-DVOCABSEG_FETCH_TENSORRT_HEADERS=ON pip install",
    OLD_INTERFACE: "pip install 'tensorrt>=10.14,<11' && CMAKE_ARGS=-DVOCABSEG_FETCH_TENSORRT_HEADERS=ON pip",
    NO_NVINFER: "pip install 'tensorrt==10.*'",
    NO_DRIVER: "sudo ubuntu-drivers install",
    OLD_DRIVER: "sudo ubuntu-drivers install",
    NO_DEVICE: "nvidia-smi",
}
ON_ARM = {
    NOT_BUILT: "sudo apt install libnvinfer-dev && CMAKE_ARGS='-DVOCABSEG_TENSORRT=ON -DVOCABSEG_FETCH_HIGHWAY=ON' pip",
    OLD_INTERFACE: "sudo apt install libnvinfer-dev && CMAKE_ARGS='-DVOCABSEG_TENSORRT=ON",
    NO_NVINFER: "sudo apt install libnvinfer10",
    NO_DRIVER: "sudo apt install nvidia-jetpack",
    OLD_DRIVER: "sudo apt install nvidia-jetpack",
    NO_DEVICE: "nvidia-smi",
}
CASES = [("x86_64", *case) for case in ON_X86.items()] + [("aarch64", *case) for case in ON_ARM.items()]


@pytest.mark.parametrize(("machine", "reason", "fix"), CASES)
def test_each_lack_of_the_tensorrt_engine_has_its_command(monkeypatch, machine, reason, fix) -> None:
    backends = [
        {"id": "openvino-cpu", "available": True, "reason": ""},
        {"id": "tensorrt", "available": False, "reason": reason},
    ]
    lacking = fake_core.module()
    lacking.backends = lambda: backends
    monkeypatch.setattr(core, "load_core", lambda: lacking)
    monkeypatch.setattr(device.platform, "machine", lambda: machine)
    found = findings()["engine tensorrt"]
    assert (found.status, found.detail) == (doctor.OPTIONAL, reason)
    assert found.fix.startswith(fix)


def fail_with(error: Exception):
    def fail(*arguments) -> None:
        raise error

    return fail
