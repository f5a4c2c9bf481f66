"""What a Triton kernel needs besides its body: signature, variants, grid, block shapes, and the cost of a launch.

The just-in-time launcher below and the ahead-of-time build (``kernels/aot``) read the same description.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from .optional_triton import JITFunction

# torch dtypes and their names in signatures.
DTYPES = {torch.float32: "fp32", torch.float16: "fp16", torch.bfloat16: "bf16"}
ITEMSIZE = {"fp32": 4, "fp16": 2, "bf16": 2}
# The interpreter has no device; it runs the blocks of this architecture.
INTERPRETED_ARCH = 87


@dataclass(frozen=True)
class Block:
    """One compiled shape."""

    constexprs: dict[str, int]
    num_warps: int = 4
    num_stages: int = 2


@dataclass(frozen=True)
class Factor:
    """ceil(argument / divisor); the divisor is an integer or the name of a constexpr."""

    argument: str
    divisor: int | str = 1


@dataclass(frozen=True)
class Kernel:
    """A Triton function and everything that compiling and launching it takes.

    ``signature`` names the types of the arguments that are no constexprs, in order: "*T" is a pointer to the
    kernel's dtype, others are Triton's own names. ``work`` takes the integer arguments, the constexprs and
    "itemsize" (bytes of T), and returns (flops, bytes to and from memory, each array once).
    """

    name: str
    function: JITFunction
    signature: dict[str, str]
    dtypes: tuple[str, ...]
    variants: tuple[dict[str, int], ...]
    grid: tuple[tuple[Factor, ...], ...]
    blocks: Callable[[int, str], Block]
    divisible: tuple[str, ...]
    uses_dot: bool
    work: Callable[[dict[str, int]], tuple[int, int]]


Launch = Callable[[Kernel, str, dict[str, int], dict[str, Any]], None]


def jit_launch(kernel: Kernel, dtype: str, variant: dict[str, int], arguments: dict[str, Any]) -> None:
    """Compile ``kernel`` on first use for the device that holds the arguments, and launch it.

    It runs on torch's current stream. An empty grid launches nothing.
    """
    device = next(value.device for value in arguments.values() if isinstance(value, torch.Tensor))
    block = kernel.blocks(_arch(kernel, device), dtype)
    constexprs = variant | block.constexprs
    grid = grid_of(kernel, arguments | constexprs)
    if 0 in grid:
        return
    options = {"num_warps": block.num_warps, "num_stages": block.num_stages}
    with torch.cuda.device(device if device.type == "cuda" else -1):
        kernel.function[grid](**arguments, **constexprs, **options)


def grid_of(kernel: Kernel, values: Mapping[str, Any]) -> tuple[int, ...]:
    """Programs along each dimension, from the values of arguments and constexprs."""
    grid = []
    for factors in kernel.grid:
        programs = 1
        for factor in factors:
            divisor = values[factor.divisor] if isinstance(factor.divisor, str) else factor.divisor
            programs *= -(-values[factor.argument] // divisor)
        grid.append(programs)
    return tuple(grid)


def interpreted(kernel: Kernel) -> bool:
    """Whether TRITON_INTERPRET was set when the kernel was defined."""
    return not isinstance(kernel.function, JITFunction)


def launch_metadata(work: Callable[[dict[str, int]], tuple[int, int]], element: str | None = None) -> Any:
    """For ``triton.jit(launch_metadata=…)``: what a profiler shows for each launch.

    ``element`` is the name of an argument of type *T; None: the kernel has none.
    """

    def describe(grid: Any, compiled: Any, arguments: dict[str, Any]) -> dict[str, Any]:
        itemsize = arguments[element].element_size() if element else 4
        flops, moved = work(arguments | {"itemsize": itemsize})
        return {"name": compiled.name, f"flops{8 * itemsize}": flops, "bytes": moved}

    return describe


def aligned(tensor: torch.Tensor) -> torch.Tensor:
    """``tensor`` itself or a copy, contiguous and starting at a multiple of 16 bytes, as the kernels ask for."""
    tensor = tensor.contiguous()
    return tensor if tensor.data_ptr() % 16 == 0 else tensor.clone()


def padded(tensor: torch.Tensor) -> torch.Tensor:
    """``tensor`` itself if its last dimension is a multiple of 16, else a copy with zeros appended.

    Where kernels sum over that dimension, or columns are independent, nothing changes.
    """
    missing = -tensor.shape[-1] % 16
    return torch.nn.functional.pad(tensor, (0, missing)) if missing else tensor


def _arch(kernel: Kernel, device: torch.device) -> int:
    if interpreted(kernel):
        return INTERPRETED_ARCH
    major, minor = torch.cuda.get_device_capability(device)
    return 10 * major + minor
