"""Builds vocabseg._core with CMake, and libvocabseg_tensorrt.so beside it where TensorRT is found.

Everything else about the package is in pyproject.toml.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from setuptools import Extension, find_packages, setup
from setuptools.command.build_ext import build_ext

ROOT = Path(__file__).parent.resolve()
TENSORRT_LIBRARY = "libvocabseg_tensorrt.so"


def openvino_cmake_dir() -> Path:
    """The CMake package inside the OpenVINO wheel, found without importing OpenVINO."""
    from importlib.util import find_spec

    spec = find_spec("openvino")
    if spec is None or spec.origin is None:
        raise RuntimeError("OpenVINO is missing; install the build requirements or drop --no-build-isolation")
    return Path(spec.origin).parent / "cmake"


def tool(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        raise RuntimeError(f"{name} is missing; install it with: pip install {name}")
    return path


class CMakeBuild(build_ext):
    """Configures and builds the target `_core` into the place where setuptools expects the extension."""

    def run(self) -> None:
        self.stays_in_source_tree = bool(self.inplace or self.editable_mode)  # setuptools clears `inplace`
        super().run()

    def build_extension(self, ext: Extension) -> None:
        import pybind11

        output = Path(self.get_ext_fullpath(ext.name)).parent.resolve()
        (output / TENSORRT_LIBRARY).unlink(missing_ok=True)  # an earlier build may have had TensorRT
        build = Path(self.build_temp).resolve()
        build.mkdir(parents=True, exist_ok=True)
        cmake = tool("cmake")
        options = {
            "CMAKE_BUILD_TYPE": "Debug" if self.debug else "Release",
            "CMAKE_MAKE_PROGRAM": tool("ninja"),
            "CMAKE_LIBRARY_OUTPUT_DIRECTORY": output,
            "PYBIND11_FINDPYTHON": "NEW",
            "Python_EXECUTABLE": sys.executable,
            "pybind11_DIR": pybind11.get_cmake_dir(),
            "OpenVINO_DIR": openvino_cmake_dir(),
            "VOCABSEG_PYTHON": "ON",
            "VOCABSEG_RPATH": self.source_tree_rpath(),
            # Said anew, as CMake remembers the CMAKE_ARGS of an earlier install in this checkout.
            "VOCABSEG_TENSORRT": "AUTO",
            "VOCABSEG_FETCH_TENSORRT_HEADERS": "OFF",
            # Not sys.path: where pip isolates builds, that has the build requirements only.
            "VOCABSEG_SITE_PACKAGES": sysconfig.get_path("platlib"),
        }
        definitions = [f"-D{key}={value}" for key, value in options.items()]
        definitions += shlex.split(os.environ.get("CMAKE_ARGS", ""))
        subprocess.run([cmake, "-G", "Ninja", "-S", ROOT, "-B", build, *definitions], check=True)
        jobs = os.environ.get("CMAKE_BUILD_PARALLEL_LEVEL") or str(os.cpu_count() or 1)
        subprocess.run([cmake, "--build", build, "--target", "_core", "-j", jobs], check=True)

    def copy_extensions_to_source(self) -> None:
        super().copy_extensions_to_source()
        for ext in self.extensions:
            beside = self.get_finalized_command("build_py").get_package_dir(ext.name.rpartition(".")[0])
            built = Path(self.build_lib, *ext.name.split(".")).with_name(TENSORRT_LIBRARY)
            copy = Path(beside, TENSORRT_LIBRARY)
            copy.unlink(missing_ok=True)
            if built.is_file():
                shutil.copy2(built, copy)

    def source_tree_rpath(self) -> str:
        """An editable install leaves the extension in the source tree, away from OpenVINO's wheel."""
        return (
            str(Path(sysconfig.get_path("platlib")) / "openvino" / "libs")
            if self.stays_in_source_tree
            else ""
        )


def packages() -> tuple[list[str], dict[str, str]]:
    """`vocabseg` from sdk/vocabseg and `vocabseg.kernels` from kernels/."""
    kernels = ["vocabseg.kernels", *(f"vocabseg.kernels.{name}" for name in find_packages("kernels"))]
    folders = {"": "sdk", "vocabseg.kernels": "kernels"}
    return [*find_packages("sdk"), *kernels], folders


names, folders = packages()
setup(
    packages=names,
    package_dir=folders,
    ext_modules=[Extension("vocabseg._core", sources=[])],
    cmdclass={"build_ext": CMakeBuild},
)
