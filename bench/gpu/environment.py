"""Driver, device, libraries; clocks and power where they can be read."""

from __future__ import annotations

import importlib.metadata
import shutil
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from vocabseg.core import load_core

from .parts import Check, Context, Outcome

PACKAGES = ("numpy", "torch", "triton", "tensorrt", "cuda-bindings", "pycuda", "onnx", "openvino")
STATE = ("clocks.sm", "clocks.mem", "power.draw", "power.limit", "temperature.gpu", "pstate")
FIELDS = ("name", "driver_version", "memory.total", *STATE)


def run(context: Context) -> Outcome:
    devices = [
        {"index": item.index, "name": item.name, "arch": f"sm_{item.arch}"}
        for item in load_core().cuda.devices()
    ]
    measured = {"devices": devices, "packages": {name: version(name) for name in PACKAGES}}
    measured["nvidia_smi"] = query(FIELDS)
    missing = [name for name in ("torch", "triton", "tensorrt") if measured["packages"][name] is None]
    left_out = [f"{name} is not installed" for name in missing]
    return Outcome([Check("driver shows a device", bool(devices))], left_out, measured)


def version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def query(fields: Sequence[str]) -> dict[str, Any] | None:
    """What nvidia-smi says of device 0, with its units; a field that it cannot read is None, and so is everything where
    it does not run."""
    if shutil.which("nvidia-smi") is None:
        return None
    command = ["nvidia-smi", "--id=0", f"--query-gpu={','.join(fields)}", "--format=csv,noheader"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=5)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return parse(fields, done.stdout) if done.returncode == 0 else None


def parse(fields: Sequence[str], line: str) -> dict[str, Any] | None:
    values = [value.strip() for value in line.strip().split(",")]
    if len(values) != len(fields):
        return None
    unread = ("N/A", "Not Supported", "")
    return {
        name: None if value.strip("[]") in unread else value
        for name, value in zip(fields, values, strict=True)
    }


@contextmanager
def watched(fields: Sequence[str], every: float = 1.0) -> Iterator[list[dict[str, Any]]]:
    """What nvidia-smi says every so many seconds while the block runs; empty where it does not run."""
    done, seen = threading.Event(), []

    def watch() -> None:
        while not done.wait(every):
            state = query(fields)
            if state is None:
                return
            seen.append(state)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        done.set()
        thread.join()
