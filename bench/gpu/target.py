"""What is checked. Tests put in its place what runs without a GPU."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec

from vocabseg.tensorrt.device import install_command


@dataclass(frozen=True)
class Target:
    """device: where tensors lie. implementations: of ops there. tensorrt: the module that must be there to build engines.
    backend: what runs frames from bundles. short: small sizes and few repetitions."""

    device: str = "cuda:0"
    implementations: tuple[str, ...] = ("triton", "cubin")
    tensorrt: str = "tensorrt"
    backend: str = "tensorrt"
    short: bool = False

    def missing_tensorrt(self) -> str | None:
        """Why no engine can be built here."""
        if find_spec(self.tensorrt) is None:
            return f"{self.tensorrt} is not installed; run: {install_command()}"
        return None

    def options(self) -> tuple[str, ...]:
        """For the programs that call ops."""
        named = ("--device", self.device, "--implementations", *self.implementations)
        return (*named, "--short") if self.short else named
