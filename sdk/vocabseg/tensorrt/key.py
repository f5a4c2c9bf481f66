"""What an engine was built from and for. An engine runs where every field that concerns running is the same."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from ..errors import EngineError

KEY_SCHEMA = 1
_DIGITS = 16
# Shapes at the least, the best and the greatest batch, per input.
Profile = Mapping[str, tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]]


@dataclass(frozen=True)
class Machine:
    """Where engines are built and run.

    tensorrt: its full version. compute_capability: ``8.7``. device: the name that the driver gives. tegra: GPU and
    CPU share one memory (Jetson). free_bytes: of GPU memory now, which on Tegra is what the host has left.
    """

    tensorrt: str
    compute_capability: str
    device: str
    tegra: bool
    free_bytes: int = 0

    def fields(self) -> dict[str, Any]:
        """What the key of an engine says about the machine."""
        return {key: value for key, value in asdict(self).items() if key != "free_bytes"}


@dataclass(frozen=True)
class EngineKey:
    """Everything that decides what an engine computes and where it runs.

    onnx_sha256: of the graph, joined by ``+`` with that of the weights beside it, where there are any. precision:
    the graph's. options: of the builder, as far as they change the engine.
    """

    onnx_sha256: str
    precision: str
    profile: Profile
    machine: Machine
    options: Mapping[str, Any] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """As plain JSON values."""
        profile = {name: [list(shape) for shape in shapes] for name, shapes in self.profile.items()}
        return {
            "schema": KEY_SCHEMA,
            "onnx_sha256": self.onnx_sha256,
            "precision": self.precision,
            "profile": profile,
            **self.machine.fields(),
            "options": dict(self.options),
        }

    def digest(self) -> str:
        """The first 16 hexadecimal digits of the SHA-256 of the canonical JSON."""
        return hashlib.sha256(canonical(self.document()).encode()).hexdigest()[:_DIGITS]


def canonical(document: Mapping[str, Any]) -> str:
    """JSON with sorted keys and no white space: equal documents give equal text."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def differences(built: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    """``field is X, expected Y`` for every field of ``wanted`` that ``built`` has otherwise."""
    return [
        f"{name} is {shown(built.get(name))}, expected {shown(value)}"
        for name, value in wanted.items()
        if not _fits(name, built.get(name), value)
    ]


def _fits(name: str, built: Any, wanted: Any) -> bool:
    """Equal; a version may have more numbers than the one that is asked for, which the C++ core knows to the patch."""
    return built == wanted or (name == "tensorrt" and str(built).startswith(f"{wanted}."))


def shown(value: Any) -> str:
    """A field for a message: long hashes cut, everything else as JSON."""
    if isinstance(value, str) and len(value) >= 64:
        return f"{value[:12]}…"
    return value if isinstance(value, str) and value else json.dumps(value)


def greatest_batch(key: Mapping[str, Any]) -> int:
    """The largest batch of a key's profile. Raises `EngineError` where there is none."""
    try:
        return min(int(shapes[2][0]) for shapes in key["profile"].values())
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise EngineError("the engine's record has no profile") from error
