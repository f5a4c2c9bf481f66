"""NVIDIA's own tools from Triton's wheel, and what they say about a cubin."""

from __future__ import annotations

import re
import subprocess
from collections import Counter
from pathlib import Path

from vocabseg.kernels.aot.elf import Parameter

# One instruction of the disassembly: address, optional predicate, mnemonic with its modifiers.
INSTRUCTION = re.compile(r"/\*[0-9a-f]{4,}\*/\s+(?:@!?U?P\w+\s+)?([A-Z][A-Z0-9]*)")
PARAMETER = re.compile(r"Ordinal : 0x(\w+)\s+Offset\s+: 0x(\w+)\s+Size\s+: 0x(\w+)")


def triton_folder() -> Path:
    import triton

    return Path(triton.__file__).parent / "backends" / "nvidia"


def cuobjdump(option: str, cubin: Path) -> str:
    tool = triton_folder() / "bin" / "cuobjdump"
    return subprocess.run([tool, option, cubin], check=True, capture_output=True, text=True).stdout


def opcodes(cubin: Path) -> Counter[str]:
    """How often each instruction occurs, without its modifiers."""
    return Counter(INSTRUCTION.findall(cuobjdump("-sass", cubin)))


def parameters(cubin: Path) -> list[Parameter]:
    found = PARAMETER.findall(cuobjdump("-elf", cubin))
    unique = {Parameter(*(int(value, 16) for value in numbers)) for numbers in found}
    return sorted(unique, key=lambda parameter: parameter.ordinal)


def resource_usage(cubin: Path) -> dict[str, int]:
    """REG, STACK, SHARED and LOCAL of the one function."""
    return {name: int(value) for name, value in re.findall(r"(\w+):(\d+)", cuobjdump("-res-usage", cubin))}
