"""Build, test and install libvocabseg without Python's help, then use it from another C++ project."""

from __future__ import annotations

import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("onnx", reason="needs the extra: test")

from tiny_bundle import write_tiny_bundle

ROOT = Path(__file__).parents[1]
OPENVINO = Path(find_spec("openvino").origin).parent / "cmake"

pytestmark = pytest.mark.skipif(
    shutil.which("cmake") is None or shutil.which("c++") is None, reason="needs cmake and a C++ compiler"
)

CONSUMER_CMAKE = """
cmake_minimum_required(VERSION 3.22)
project(consumer LANGUAGES CXX)
find_package(vocabseg 0.1 REQUIRED)
add_executable(consumer main.cpp)
target_link_libraries(consumer PRIVATE vocabseg::vocabseg)
"""
CONSUMER_MAIN = """
#include <cstdio>
#include <vector>
#include <vocabseg/vocabseg.hpp>

int main(int, char** argv) {
  vocabseg::Segmenter seg{vocabseg::Bundle::open(argv[1])};
  seg.set_vocabulary({"road", "car, truck, van"});
  const int width = 48, height = 40;
  std::vector<unsigned char> pixels(3 * width * height, 100);
  const vocabseg::Segmentation out = seg.segment({pixels.data(), width, height, 3 * width});
  std::printf("%d x %d on %s", out.height, out.width, out.backend.c_str());
}
"""


def run(*command: object) -> str:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-6000:]
    return done.stdout


@pytest.fixture(scope="module")
def build(tmp_path_factory) -> Path:
    """A finished build of the whole CMake project."""
    folder = tmp_path_factory.mktemp("cmake") / "build"
    options = ["-DVOCABSEG_WARNINGS_AS_ERRORS=ON", "-DVOCABSEG_FUZZ=ON"]
    run("cmake", "-S", ROOT, "-B", folder, f"-DOpenVINO_DIR={OPENVINO}", *options)
    run("cmake", "--build", folder, "--parallel")
    return folder


def test_cpp_tests_pass(build):
    run("ctest", "--test-dir", build, "--output-on-failure")


def test_example_segments_a_picture(build, tmp_path):
    bundle = write_tiny_bundle(tmp_path / "tiny")
    Image.fromarray(np.full((40, 60, 3), 90, np.uint8)).save(tmp_path / "in.ppm")
    example = build / "cpp" / "examples" / "segment"
    words = ("road", "car, truck", "background: sky")
    table = run(example, bundle, tmp_path / "in.ppm", tmp_path / "out.pgm", *words)
    assert "mean score" in table and "openvino/" in table and "decode" in table
    assert Image.open(tmp_path / "out.pgm").size == (60, 40)


def test_another_project_finds_the_package(build, tmp_path):
    run("cmake", "--install", build, "--prefix", tmp_path / "prefix")
    (tmp_path / "CMakeLists.txt").write_text(CONSUMER_CMAKE)
    (tmp_path / "main.cpp").write_text(CONSUMER_MAIN)
    run("cmake", "-S", tmp_path, "-B", tmp_path / "out", f"-DCMAKE_PREFIX_PATH={tmp_path / 'prefix'}")
    run("cmake", "--build", tmp_path / "out")
    printed = run(tmp_path / "out" / "consumer", write_tiny_bundle(tmp_path / "tiny"))
    assert printed.startswith("40 x 48 on openvino/")


def test_configures_without_openvino(tmp_path):
    printed = run("cmake", "-S", ROOT, "-B", tmp_path, "-DVOCABSEG_OPENVINO=OFF", "-DVOCABSEG_TESTS=OFF")
    assert "without the OpenVINO engine" in printed and "pip install openvino" in printed


@pytest.mark.slow
@pytest.mark.parametrize("preset", ["default", "asan-ubsan", "tsan"])
def test_preset(preset, monkeypatch) -> None:
    if shutil.which("ninja") is None:
        pytest.skip("needs ninja: sudo apt-get install ninja-build")
    monkeypatch.chdir(ROOT)
    run("cmake", "--preset", preset)
    run("cmake", "--build", "--preset", preset)
    run("ctest", "--preset", preset)
