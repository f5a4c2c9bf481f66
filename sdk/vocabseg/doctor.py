"""What works on this machine, what does not, and the command that fixes it. Every probe is guarded."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import os
import platform
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from . import __version__

OK, OPTIONAL, BROKEN = "ok", "optional", "broken"
_REINSTALL = "pip install --force-reinstall vocabseg   (in a checkout: pip install -e .)"
_REQUIRED = (("numpy", "numpy"), ("pillow", "PIL"), ("openvino", "openvino"))
_EXTRAS = (
    ("torch", "torch", "export"),
    ("open_clip_torch", "open_clip", "export"),
    ("onnx", "onnx", "export"),
    ("av", "av", "video"),
    ("triton", "triton", "triton"),
    ("tensorrt", "tensorrt", "tensorrt"),
    ("pytest", "pytest", "test"),
)


@dataclass(frozen=True)
class Finding:
    """``status``: ok, optional (absent, not needed to segment) or broken. ``fix``: a command, or None."""

    name: str
    status: str
    detail: str
    fix: str | None = None


def examine() -> list[Finding]:
    """All findings, in the order in which they are read. Never raises."""
    probes: tuple[Callable[[], list[Finding]], ...] = (
        _system,
        _packages,
        _core,
        _engines,
        _tensorrt,
        _demo,
        _cache,
        _extras,
    )
    findings: list[Finding] = []
    for probe in probes:
        try:
            findings += probe()
        except Exception as error:  # noqa: BLE001  a broken installation fails in any way
            name = probe.__name__.strip("_")
            findings.append(Finding(name, BROKEN, f"{type(error).__name__}: {error}", _REINSTALL))
    return findings


def as_json(findings: list[Finding]) -> dict[str, Any]:
    """The report as plain values; ``ok`` is false when something that ``segment`` needs is broken."""
    return {
        "version": __version__,
        "ok": all(finding.status != BROKEN for finding in findings),
        "findings": [asdict(finding) for finding in findings],
    }


def _system() -> list[Finding]:
    python = f"{platform.python_implementation()} {platform.python_version()} at {sys.executable}"
    fix = None if sys.version_info >= (3, 10) else "install Python 3.10 or newer"
    system = f"{platform.system()} {platform.release()} {platform.machine()}, {os.cpu_count()} logical CPUs"
    return [
        Finding("vocabseg", OK, f"{__version__} at {Path(__file__).parent}"),
        Finding("python", BROKEN if fix else OK, python, fix),
        Finding("system", OK, system),
    ]


def _packages() -> list[Finding]:
    return [_required(package, module) for package, module in _REQUIRED]


def _required(package: str, module: str) -> Finding:
    """What pip installed and what is really loaded: a shadowed copy shows as a difference."""
    try:
        loaded = str(importlib.import_module(module).__version__)
    except Exception as error:  # noqa: BLE001
        return Finding(
            package, BROKEN, f"cannot be imported: {error}", f"pip install --force-reinstall {package}"
        )
    installed = _installed(package)
    if installed is None:
        return Finding(package, OK, f"{loaded} loaded, not installed by pip")
    if not loaded.startswith(installed):
        detail = f"{loaded} is loaded but {installed} is installed"
        return Finding(
            package, BROKEN, detail, f"pip uninstall -y {package} && pip install {package}=={installed}"
        )
    return Finding(package, OK, loaded)


def _core() -> list[Finding]:
    from .core import load_core
    from .errors import BackendUnavailable

    try:
        core = load_core()
    except BackendUnavailable as error:
        return [Finding("core", BROKEN, str(error.__cause__ or error), _REINSTALL)]
    same = core.version == __version__
    detail = f"{core.version}, OpenVINO {core.openvino_version()}"
    features = ", ".join(core.cpu_features()) or "none beyond the base"
    return [
        Finding("core", OK if same else BROKEN, detail, None if same else _REINSTALL),
        Finding("cpu features", OK, features),
    ]


def _engines() -> list[Finding]:
    from .core import load_core

    backends = load_core().backends()
    usable = any(backend["available"] for backend in backends)
    findings = []
    for backend in backends:
        status = OK if backend["available"] else OPTIONAL if usable else BROKEN
        fix = None if backend["available"] else _engine_fix(backend["id"], backend["reason"])
        findings.append(Finding(f"engine {backend['id']}", status, backend["reason"] or "usable", fix))
    return findings


def _engine_fix(name: str, reason: str) -> str | None:
    from .tensorrt.advice import engine_fix

    if name.startswith("openvino"):
        return "pip install --force-reinstall openvino"
    return engine_fix(reason) if name.startswith("tensorrt") else None


def _tensorrt() -> list[Finding]:
    """Whether ``vocabseg build --engine tensorrt`` can work here. Asks in a process of its own, as a build does."""
    from .errors import VocabsegError
    from .tensorrt import backend, process
    from .tensorrt.device import install_command

    name = "tensorrt build"
    if importlib.util.find_spec("tensorrt") is None:
        return [Finding(name, OPTIONAL, "tensorrt is not installed", install_command())]
    try:
        found = process.run("machine", {"backend": backend.TENSORRT})
    except VocabsegError as error:
        detail, _, fix = str(error).partition("; run: ")
        return [Finding(name, OPTIONAL, detail, fix or None)]
    memory = "memory shared with the host" if found["tegra"] else "GPU memory"
    detail = f"TensorRT {found['tensorrt']} on {found['device']}, SM {found['compute_capability']}"
    return [Finding(name, OK, f"{detail}, {found['free_bytes'] / 1e9:.1f} GB of {memory} free")]


def _demo() -> list[Finding]:
    from .core import bundle_path, load_core
    from .errors import VocabsegError

    try:
        path = bundle_path("demo")
        load_core().Bundle.open(str(path))
    except VocabsegError as error:
        return [Finding("demo bundle", BROKEN, str(error), _REINSTALL)]
    size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    return [Finding("demo bundle", OK, f"{path}, {size / 1e6:.1f} MB, every file as recorded")]


def _cache() -> list[Finding]:
    from . import cache

    found = cache.info()
    detail = f"{found.path}, {found.entries} entries, {found.size / 1e6:.1f} MB"
    if _can_write(found.path):
        return [Finding("cache", OK, detail)]
    fix = "export VOCABSEG_HOME=FOLDER   (one that can be written)"
    return [
        Finding("cache", OPTIONAL, f"{detail}; cannot be written, so words are embedded anew each time", fix)
    ]


def _can_write(folder: Path) -> bool:
    """Whether the folder, or the nearest one above it that exists, can be written."""
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    return existing.is_dir() and os.access(existing, os.W_OK | os.X_OK)


def _extras() -> list[Finding]:
    return [_extra(*extra) for extra in _EXTRAS]


def _extra(package: str, module: str, extra: str) -> Finding:
    if importlib.util.find_spec(module) is None:
        return Finding(
            package, OPTIONAL, f"not installed (extra {extra!r})", f"pip install 'vocabseg[{extra}]'"
        )
    return Finding(package, OK, f"{_installed(package) or 'version unknown'} (extra {extra!r})")


def _installed(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
