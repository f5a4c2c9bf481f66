"""libvocabseg_tensorrt.so compiles against TensorRT's headers, without warnings and with the symbols it should have."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
KEPT = ROOT / "build" / "tensorrt-headers"
WARNINGS = ("-Wall", "-Wextra", "-Werror")


def tensorrt_headers() -> Path:
    """The folder of NvInfer.h: fetched once, checked against its hash, kept in the build folder."""
    wheels = list(KEPT.glob("*.whl"))
    if not wheels:
        pins = ("--require-hashes", "-r", ROOT / "tests" / "tensorrt_headers.txt")
        patience = ("--retries", "1", "--timeout", "10", "--disable-pip-version-check")
        command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", *pins, *patience, "-d", KEPT]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        wheels = list(KEPT.glob("*.whl"))
        if done.returncode != 0 or not wheels:
            last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
            pytest.skip(f"needs TensorRT's headers, which pip could not fetch: {last}")
    folder = KEPT / "kernel_lens" / "include" / "tensorrt"
    if not folder.is_dir():
        with zipfile.ZipFile(wheels[0]) as wheel:
            names = [name for name in wheel.namelist() if name.startswith("kernel_lens/include/tensorrt/")]
            wheel.extractall(KEPT, names)
    return folder


def cuda_headers() -> Path:
    folders = [Path("/usr/local/cuda/include")]
    triton = find_spec("triton")
    if triton is not None and triton.origin:
        folders.append(Path(triton.origin).parent / "backends" / "nvidia" / "include")
    for folder in folders:
        if (folder / "cuda_runtime_api.h").is_file():
            return folder
    pytest.skip("needs cuda_runtime_api.h: install the CUDA toolkit, or the extra: triton")


def test_compiles_without_warnings(tmp_path) -> None:
    compiler = shutil.which("c++")
    if compiler is None:
        pytest.skip("needs a C++ compiler")
    headers = [f"-isystem{tensorrt_headers()}", f"-isystem{cuda_headers()}"]
    source = ROOT / "cpp" / "tensorrt" / "library.cc"
    library = tmp_path / "libvocabseg_tensorrt.so"
    # Symbols of libnvinfer stay open, as they are on a machine that has it.
    flags = ["-std=c++17", "-fPIC", "-shared", "-fvisibility=hidden", *WARNINGS, f"-I{ROOT / 'cpp' / 'src'}"]
    command = [compiler, *flags, *headers, source, "-o", library]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-6000:]
    symbols = subprocess.run(["nm", "-D", library], capture_output=True, text=True, check=True).stdout
    own = [line.split()[-1] for line in symbols.splitlines() if " T " in line]
    needed = {line.split()[-1] for line in symbols.splitlines() if " U " in line}
    assert own == ["vocabseg_tensorrt"]
    assert {name for name in needed if "nfer" in name} == {
        "createInferRuntime_INTERNAL",
        "getInferLibVersion",
    }


def test_without_tensorrt_cmake_says_how_to_get_it(tmp_path) -> None:
    if shutil.which("cmake") is None:
        pytest.skip("needs cmake")
    options = ["-DVOCABSEG_OPENVINO=OFF", "-DVOCABSEG_TESTS=OFF", "-DVOCABSEG_TENSORRT=ON"]
    missing = ["-DVOCABSEG_NVINFER_INCLUDE=VOCABSEG_NVINFER_INCLUDE-NOTFOUND"]
    command = ["cmake", "-S", ROOT, "-B", tmp_path, *options, *missing]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        pytest.skip("this machine has TensorRT")
    assert "sudo apt-get install libnvinfer-dev" in " ".join(done.stderr.split())
