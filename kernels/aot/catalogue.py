"""Which kernels there are, and which compiler makes them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..common.triton_kernel import Kernel

FOLDER = Path(__file__).resolve().parent.parent


def kernels(names: Iterable[str] | None = None) -> list[Kernel]:
    """The kernels of all ops, or those with the given names, by name. Imports Triton.

    Raises ``ValueError`` for a name that no kernel has.
    """
    folders = sorted(path.parent.name for path in FOLDER.glob("*/triton.py"))
    modules = [import_module(f"..{folder}.triton", __package__) for folder in folders]
    found = {kernel.name: kernel for module in modules for kernel in module.KERNELS}
    wanted = sorted(found) if names is None else list(names)
    unknown = [name for name in wanted if name not in found]
    if unknown:
        raise ValueError(f"there is no kernel {', '.join(unknown)}; there are {', '.join(sorted(found))}")
    return [found[name] for name in wanted]


def compiler() -> dict[str, str]:
    """Versions of Triton and of the two assemblers that its wheel has (before Blackwell, and Blackwell)."""
    import triton

    tools = triton.knobs.nvidia
    return {
        "triton": triton.__version__,
        "ptxas": f"{tools.ptxas.version} / {tools.ptxas_blackwell.version}",
    }


def sources_sha256() -> str:
    """Hash of the files that decide what is compiled, by name and content."""
    files = [*FOLDER.glob("*/triton*.py"), FOLDER / "aot" / "compile.py"]
    digest = hashlib.sha256()
    for path in sorted(files):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(FOLDER).as_posix()} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()
