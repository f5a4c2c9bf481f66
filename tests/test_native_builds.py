"""Builds that take minutes: a fetched Highway, random arguments under sanitizers."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        shutil.which("cmake") is None or shutil.which("ninja") is None,
        reason="needs cmake and ninja: sudo apt-get install cmake ninja-build",
    ),
]

CONSUMER_CMAKE = """
cmake_minimum_required(VERSION 3.22)
project(consumer LANGUAGES CXX)
find_package(vocabseg 0.1 REQUIRED)
add_executable(consumer main.cpp)
target_link_libraries(consumer PRIVATE vocabseg::vocabseg)
"""
CONSUMER_MAIN = """
#include <cstdio>
#include <vocabseg/vocabseg.hpp>

int main() {
  try {
    vocabseg::cuda::devices("libcuda-of-nobody.so.1");
  } catch (const vocabseg::BackendUnavailable& error) {
    std::puts(error.what());
  }
}
"""


def run(*command: object, cwd: Path = ROOT) -> str:
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-6000:]
    return done.stdout


@pytest.mark.parametrize("shared", ["OFF", "ON"])
def test_fetched_highway_is_installed_with_the_package(tmp_path, shared):
    """Where the distribution's Highway is too old. Downloads Highway."""
    options = ["-DVOCABSEG_FETCH_HIGHWAY=ON", "-DVOCABSEG_OPENVINO=OFF", f"-DBUILD_SHARED_LIBS={shared}"]
    parts = ["-DVOCABSEG_TESTS=OFF", "-DVOCABSEG_EXAMPLES=OFF"]
    run("cmake", "-G", "Ninja", "-S", ROOT, "-B", tmp_path / "build", *options, *parts)
    run("cmake", "--build", tmp_path / "build")
    run("cmake", "--install", tmp_path / "build", "--prefix", tmp_path / "prefix")
    (tmp_path / "CMakeLists.txt").write_text(CONSUMER_CMAKE)
    (tmp_path / "main.cpp").write_text(CONSUMER_MAIN)
    run("cmake", "-S", tmp_path, "-B", tmp_path / "out", f"-DCMAKE_PREFIX_PATH={tmp_path / 'prefix'}")
    run("cmake", "--build", tmp_path / "out")
    assert run(tmp_path / "out" / "consumer").startswith("libcuda-of-nobody.so.1 is not installed")


def test_ops_survive_a_million_random_inputs():
    """Under AddressSanitizer and UBSan: each op gives a result or a VocabsegError, whatever its arguments."""
    run("cmake", "--preset", "asan-ubsan")
    run("cmake", "--build", "--preset", "asan-ubsan", "--target", "vocabseg_fuzz")
    printed = run("build/asan-ubsan/cpp/fuzz/vocabseg_fuzz", "--inputs", 1_000_000, "--seed", 1)
    counts = re.findall(r"(\w+) +(\d+) accepted +(\d+) refused", printed)
    assert sum(int(accepted) + int(refused) for _, accepted, refused in counts) == 1_000_000
    for op, accepted, refused in counts:
        assert int(accepted) > 10_000, op
        assert int(refused) > 1_000, op
