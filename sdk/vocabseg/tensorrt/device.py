"""TensorRT on the GPU of this machine: the backend that workers use."""

from __future__ import annotations

import importlib
import platform
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..errors import BackendUnavailable
from .backend import REBUILD, BuildRequest, Session
from .builder import build_plan
from .cuda import Cuda, open_cuda
from .key import Machine
from .session import EngineSession

LEAST_VERSION = (10, 3)
_TEGRA_FILES = ("/etc/nv_tegra_release", "/proc/device-tree/compatible")


class TensorRT:
    """Raises `BackendUnavailable` where TensorRT, a driver or a device is missing."""

    def __init__(self, binding: str = "auto") -> None:
        """binding: see ``open_cuda``."""
        self._trt = import_tensorrt()
        self._cuda: Cuda = open_cuda(binding)

    def machine(self) -> Machine:
        tegra = is_tegra()
        free = host_free_bytes() if tegra else None
        with self._cuda.current():
            return Machine(
                str(self._trt.__version__),
                self._cuda.compute_capability(),
                self._cuda.device(),
                tegra,
                self._cuda.free_bytes() if free is None else free,
            )

    def build(self, request: BuildRequest, progress: Callable[[float], None]) -> tuple[bytes, list[str]]:
        with self._cuda.current():
            return build_plan(self._trt, request, progress)

    def open(self, plan: bytes, rebuild: str = REBUILD, allow_smaller_batch: bool = False) -> Session:
        return EngineSession(self._trt, self._cuda, plan, rebuild, allow_smaller_batch)


def import_tensorrt() -> Any:
    """The module. Raises `BackendUnavailable` where it is missing or too old."""
    try:
        trt = importlib.import_module("tensorrt")
        version = str(trt.__version__)
    except Exception as error:  # noqa: BLE001  its libraries fail to load in many ways
        raise BackendUnavailable(f"tensorrt cannot be imported: {error}; run: {install_command()}") from error
    numbers = tuple(int(number) for number in re.findall(r"\d+", version)[:2])
    if numbers < LEAST_VERSION:
        raise BackendUnavailable(
            f"TensorRT {version} is too old, expected {'.'.join(map(str, LEAST_VERSION))} or newer; "
            f"run: {install_command()}"
        )
    return trt


def install_command() -> str:
    """How TensorRT comes to this machine."""
    if is_arm():
        return "sudo apt install python3-libnvinfer (JetPack 6 or newer; a venv sees it with --system-site-packages)"
    return "pip install 'vocabseg[tensorrt]'"


def is_arm() -> bool:
    """Whether TensorRT comes as Debian packages: on a Jetson, and on other machines with 64-bit Arm."""
    return is_tegra() or platform.machine() == "aarch64"


def is_tegra() -> bool:
    """Whether this is a Jetson, where GPU and CPU share one memory."""
    release, compatible = map(Path, _TEGRA_FILES)
    try:
        return release.is_file() or b"tegra" in compatible.read_bytes()
    except OSError:
        return False


def host_free_bytes(meminfo: str = "/proc/meminfo") -> int | None:
    """What the host can give without swapping. On a Jetson this is what the GPU has left, too: the driver's own
    figure leaves out memory that the page cache would give back."""
    try:
        found = re.search(r"^MemAvailable:\s+(\d+) kB", Path(meminfo).read_text(), re.MULTILINE)
    except OSError:
        return None
    return int(found.group(1)) * 1024 if found else None
