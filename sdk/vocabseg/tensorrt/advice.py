"""The command that gives the core what it lacks to run engines, by the reason that the core states."""

from __future__ import annotations

import re

from .device import is_arm

_HERE = "pip install --force-reinstall --no-deps .   (in a checkout of vocabseg)"
_BUILD_ON_ARM = (
    "sudo apt install libnvinfer-dev && "
    f"CMAKE_ARGS='-DVOCABSEG_TENSORRT=ON -DVOCABSEG_FETCH_HIGHWAY=ON' {_HERE}"
)
_BUILD = f"pip install 'tensorrt>=10.14,<11' && CMAKE_ARGS=-DVOCABSEG_FETCH_TENSORRT_HEADERS=ON {_HERE}"
_DRIVER_ON_ARM = "sudo apt install nvidia-jetpack   (in a container: run it with --runtime nvidia)"
_DRIVER = "sudo ubuntu-drivers install   (in a container: run it with --gpus all)"


def engine_fix(reason: str) -> str:
    """What to run where ``backends()`` says that TensorRT's engines cannot run.

    reason: of the backend, as `vocabseg::tensorrt_backend` writes it."""
    library = re.search(r"libnvinfer\.so\.(\d+)", reason)
    if library:
        major = library.group(1)
        return f"sudo apt install libnvinfer{major}" if is_arm() else f"pip install 'tensorrt=={major}.*'"
    if "libvocabseg_tensorrt" in reason:
        return _BUILD_ON_ARM if is_arm() else _BUILD
    if "libcuda" in reason or "driver" in reason:
        return _DRIVER_ON_ARM if is_arm() else _DRIVER
    return "nvidia-smi   (it should list the device)"
