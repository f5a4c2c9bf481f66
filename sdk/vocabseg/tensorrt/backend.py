"""What builds engines and runs them, behind an interface small enough to be replaced in tests."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from .key import Machine, Profile

# ``module:class`` of what workers use.
TENSORRT = "vocabseg.tensorrt.device:TensorRT"
REBUILD = "vocabseg build BUNDLE --engine tensorrt"


@dataclass(frozen=True)
class BuildRequest:
    """One graph to build. workspace: bytes that tactics may use. timing_cache: a file, which may not exist yet."""

    graph: Path
    profile: Profile
    options: Mapping[str, Any]
    workspace: int
    timing_cache: Path | None = None


class Session(Protocol):
    """A loaded engine. inputs, outputs: names. batch: the most rows of one run. ``close`` gives its memory back."""

    inputs: list[str]
    outputs: list[str]
    batch: int

    def run(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """All outputs, for any number of rows."""
        ...

    def close(self) -> None: ...


class Backend(Protocol):
    """TensorRT on this machine, or what stands for it."""

    def machine(self) -> Machine: ...

    def build(self, request: BuildRequest, progress: Callable[[float], None]) -> tuple[bytes, list[str]]:
        """The serialised engine, and the warnings of its build. ``progress`` is told the share that is done."""
        ...

    def open(self, plan: bytes, rebuild: str = REBUILD, allow_smaller_batch: bool = False) -> Session:
        """rebuild: the command that messages name."""
        ...


def load(name: str) -> Backend:
    """The backend of ``module:class``."""
    module, _, attribute = name.partition(":")
    backend: Backend = getattr(importlib.import_module(module), attribute)()
    return backend
