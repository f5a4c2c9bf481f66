"""pip's way to a core that opens TensorRT's library: built beside the core, linked to PyPI's wheel of TensorRT."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from importlib.util import find_spec
from pathlib import Path

import pytest

from test_tensorrt_library import KEPT, ROOT, tensorrt_headers

pytestmark = pytest.mark.skipif(
    shutil.which("cmake") is None or shutil.which("c++") is None, reason="needs cmake and a C++ compiler"
)

LIBRARY = "libvocabseg_tensorrt.so"
# What our library takes from libnvinfer: a version, and no engine.
NVINFER = """
#include <cstdint>
extern "C" int32_t getInferLibVersion() { return 101401; }
extern "C" void* createInferRuntime_INTERNAL(void*, int32_t) { return nullptr; }
"""
BACKEND = """
import importlib.util, json, sys
spec = importlib.util.spec_from_file_location("vocabseg._core", sys.argv[1])
core = importlib.util.module_from_spec(spec)
spec.loader.exec_module(core)
print(json.dumps({backend["id"]: backend["reason"] for backend in core.backends()}))
"""


def run(*command: object, **options) -> str:
    command = [str(part) for part in command]
    done = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-6000:]
    return done.stdout


def write_nvinfer(library: Path) -> None:
    """A stand-in for libnvinfer, where its wheel or JetPack would put it."""
    library.parent.mkdir(parents=True)
    source = library.with_name("nvinfer.cc")
    source.write_text(NVINFER)
    run("c++", "-shared", "-fPIC", "-Wl,-soname,libnvinfer.so.10", source, "-o", library)


@pytest.fixture
def site_packages(tmp_path) -> Path:
    """TensorRT's wheel, OpenVINO's and the core, side by side."""
    site = tmp_path / "site-packages"
    write_nvinfer(site / "tensorrt_libs" / "libnvinfer.so.10")
    (site / "tensorrt_cu12_libs-10.14.1.48.dist-info").mkdir()
    (site / "openvino").symlink_to(Path(find_spec("openvino").origin).parent)
    (site / "vocabseg").mkdir()
    shutil.copy(find_spec("vocabseg._core").origin, site / "vocabseg")
    return site


def configure(build: Path, site: Path, *options: object) -> subprocess.CompletedProcess[str]:
    """With the options of setup.py."""
    python = ("-DVOCABSEG_PYTHON=ON", f"-DPython_EXECUTABLE={sys.executable}", "-DPYBIND11_FINDPYTHON=NEW")
    pybind11 = Path(find_spec("pybind11").origin).parent / "share" / "cmake" / "pybind11"
    places = (f"-Dpybind11_DIR={pybind11}", f"-DOpenVINO_DIR={site / 'openvino' / 'cmake'}")
    output = (f"-DCMAKE_LIBRARY_OUTPUT_DIRECTORY={site / 'vocabseg'}", f"-DVOCABSEG_SITE_PACKAGES={site}")
    command = ["cmake", "-S", ROOT, "-B", build, *python, *places, *output, *options]
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)


def reason(site: Path) -> str:
    """What the core in ``site`` says of its TensorRT engine."""
    core = next((site / "vocabseg").glob("_core*"))
    return json.loads(run(sys.executable, "-c", BACKEND, core))["tensorrt"]


def test_the_core_opens_a_library_that_is_linked_to_the_wheel(tmp_path, site_packages) -> None:
    tensorrt_headers()
    assert f"{LIBRARY} cannot be opened: {LIBRARY}: " in reason(site_packages)
    fetched = f"-DFETCHCONTENT_SOURCE_DIR_TENSORRT_HEADERS={KEPT}"
    configured = configure(tmp_path / "b", site_packages, "-DVOCABSEG_FETCH_TENSORRT_HEADERS=ON", fetched)
    assert configured.returncode == 0, configured.stderr
    run("cmake", "--build", tmp_path / "b", "--target", "vocabseg_tensorrt")
    assert (site_packages / "vocabseg" / LIBRARY).is_file()
    moved = site_packages.rename(tmp_path / "elsewhere")
    assert LIBRARY not in reason(moved)  # only the driver or the device can be missing now
    shutil.rmtree(moved / "tensorrt_libs")
    assert f"install libnvinfer.so.10, which {LIBRARY} was built with" in reason(moved)


@pytest.mark.parametrize(
    ("version", "found"), [(None, "none"), ("10.3.0", "10.3.0"), ("11.4.0.106", "11.4.0.106")]
)
def test_a_wheel_that_does_not_fit_the_headers_is_named(tmp_path, site_packages, version, found) -> None:
    next(site_packages.glob("*.dist-info")).rmdir()
    if version is None or version.startswith("11"):
        shutil.rmtree(site_packages / "tensorrt_libs")
    if version is not None:
        (site_packages / f"tensorrt_cu13_libs-{version}.dist-info").mkdir()
    refused = configure(tmp_path / "b", site_packages, "-DVOCABSEG_FETCH_TENSORRT_HEADERS=ON")
    assert refused.returncode != 0
    said = " ".join(refused.stderr.split())
    assert f"found: {found}. Install it first: pip install 'tensorrt>=10.14,<11'" in said


def test_tensorrt_that_is_too_old_is_left_alone(tmp_path, site_packages) -> None:
    """As on JetPack 5."""
    (tmp_path / "NvInfer.h").touch()
    (tmp_path / "NvInferVersion.h").write_text(
        "#define NV_TENSORRT_MAJOR 8 //!< TensorRT major version.\n"
        "#define NV_TENSORRT_MINOR 6 //!< TensorRT minor version.\n"
    )
    library = site_packages / "tensorrt_libs" / "libnvinfer.so.10"
    old = (f"-DVOCABSEG_NVINFER_INCLUDE={tmp_path}", f"-DVOCABSEG_NVINFER_LIBRARY={library}")
    configured = configure(tmp_path / "b", site_packages, *old)
    assert configured.returncode == 0, configured.stderr
    assert f"not built, as TensorRT in {tmp_path} is 8.6" in configured.stdout
    assert configure(tmp_path / "b", site_packages, *old, "-DVOCABSEG_TENSORRT=ON").returncode != 0


def test_cmake_and_pip_fetch_the_same_headers() -> None:
    pinned = re.findall(r"[0-9a-f]{64}", (ROOT / "tests" / "tensorrt_headers.txt").read_text())
    fetched = (ROOT / "cpp" / "cmake" / "VocabsegTensorRT.cmake").read_text()
    assert pinned == re.findall(r"SHA256=([0-9a-f]{64})", fetched)


@pytest.mark.slow
def test_the_wheel_of_vocabseg_contains_the_library(tmp_path) -> None:
    """Builds the whole core with pip, against headers and a stand-in in a folder, as TensorRT's archive is."""
    write_nvinfer(tmp_path / "TensorRT" / "lib" / "libnvinfer.so")
    (tmp_path / "TensorRT" / "include").symlink_to(tensorrt_headers())
    options = f"-DVOCABSEG_TENSORRT=ON -DTensorRT_ROOT={tmp_path / 'TensorRT'}"
    environment = {**os.environ, "CMAKE_ARGS": options}
    run(sys.executable, "-m", "pip", "wheel", "--no-deps", "-w", tmp_path, ROOT, env=environment)
    with zipfile.ZipFile(next(tmp_path.glob("vocabseg-*.whl"))) as wheel:
        assert f"vocabseg/{LIBRARY}" in wheel.namelist()
