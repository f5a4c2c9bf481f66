"""Writes tests/data/tensorrt_attributes.json: the names that TensorRT's Python bindings have, version by version.

The bindings are small wheels on PyPI; the libraries that they link to are not needed to list names, so empty stand-ins
are compiled for them. Run it with the Python version in WHEEL_PYTHON, and a C compiler:

    python scripts/tensorrt_attributes.py
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

VERSIONS = ("10.3.0", "10.16.0.72", "11.4.0.106")
WHEEL_PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
LIBRARIES = ("nvinfer", "nvinfer_plugin", "nvonnxparser")
SYMBOLS = (
    "createInferBuilder_INTERNAL",
    "createInferRefitter_INTERNAL",
    "createInferRuntime_INTERNAL",
    "createNvOnnxParserRefitter_INTERNAL",
    "createNvOnnxParser_INTERNAL",
    "getBuilderPluginRegistry",
    "getNvOnnxParserVersion",
    "getPluginRegistry",
    "initLibNvInferPlugins",
)
# What the SDK uses, and what their methods return.
CLASSES = (
    "Builder",
    "BuilderFlag",
    "ExecutionContextAllocationStrategy",
    "IBuilderConfig",
    "ICudaEngine",
    "IExecutionContext",
    "IHostMemory",
    "ILogger",
    "INetworkDefinition",
    "IOptimizationProfile",
    "IProgressMonitor",
    "ITensor",
    "ITimingCache",
    "MemoryPoolType",
    "NetworkDefinitionCreationFlag",
    "OnnxParser",
    "ParserError",
    "ProfilingVerbosity",
    "Runtime",
    "TensorIOMode",
)
LIST = f"""
import json, tensorrt_bindings as trt
public = lambda thing: sorted(name for name in dir(thing) if not name.startswith("_"))
print(json.dumps({{"module": public(trt), **{{name: public(getattr(trt, name)) for name in {CLASSES}}}}}))
"""


def main() -> None:
    output = Path(__file__).parent.parent / "tests" / "data" / "tensorrt_attributes.json"
    document = {
        "origin": "dir() of the wheels tensorrt-cu12-bindings on PyPI, by scripts/tensorrt_attributes.py",
        "versions": {version: names(version) for version in VERSIONS},
    }
    output.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def names(version: str) -> dict[str, list[str]]:
    """Class → public names in one version; ``module`` for the module itself."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        wheel = f"tensorrt-cu12-bindings=={version}"
        options = ["--no-deps", "--only-binary", ":all:", "--python-version", WHEEL_PYTHON, "-d", temporary]
        subprocess.run([sys.executable, "-m", "pip", "download", "--quiet", *options, wheel], check=True)
        (file,) = folder.glob("*.whl")
        zipfile.ZipFile(file).extractall(folder)
        compile_stand_ins(folder, version.partition(".")[0])
        environment = {**os.environ, "LD_LIBRARY_PATH": temporary, "PYTHONPATH": temporary}
        done = subprocess.run(
            [sys.executable, "-c", LIST], env=environment, check=True, capture_output=True, text=True
        )
        return dict(json.loads(done.stdout))


def compile_stand_ins(folder: Path, major: str) -> None:
    source = folder / "empty.c"
    source.write_text("".join(f"void *{symbol}(void) {{ return 0; }}\n" for symbol in SYMBOLS))
    for library in LIBRARIES:
        name = f"lib{library}.so.{major}"
        command = ["cc", "-shared", "-fPIC", str(source), "-o", str(folder / name), f"-Wl,-soname,{name}"]
        subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
