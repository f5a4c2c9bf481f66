"""Triton kernels compiled ahead of time: cubins that the core launches through the CUDA driver, without Triton.

Arrays are torch CUDA tensors.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from .. import _core
from ..errors import BackendUnavailable, BundleError
from ..kernels.aot import FOLDER

if TYPE_CHECKING:
    from ..kernels.common.triton_kernel import Kernel


def check(device: str) -> str:
    if not device.startswith("cuda"):
        raise BackendUnavailable(f"got arrays on {device}, expected a CUDA device: move them with .cuda()")
    if find_spec("torch") is None:
        raise BackendUnavailable("torch is missing: pip install torch")
    cubins = cubin_set()
    index = int(device.partition(":")[2] or 0)
    found = {item.index: item for item in _core.cuda.devices()}
    if index not in found:
        raise BackendUnavailable(
            f"the CUDA driver shows devices {sorted(found)}, expected {index} among them"
        )
    arch = found[index].arch
    if not any(item.runs_on(arch) for item in cubins.kernels):
        known = ", ".join(f"sm_{item}" for item in cubins.architectures)
        raise BackendUnavailable(f"{found[index].name} is sm_{arch}, the cubins are for {known}")
    return f"compiled ahead of time for {found[index].name} (sm_{arch})"


@lru_cache(maxsize=1)
def cubin_set() -> Any:
    """The set in the package. Raises ``BackendUnavailable`` where there is none."""
    try:
        return _core.cuda.CubinSet.open(str(FOLDER))
    except BundleError as error:
        raise BackendUnavailable(str(error)) from error


def launch(kernel: Kernel, dtype: str, variant: dict[str, int], arguments: dict[str, Any]) -> None:
    """Launch a kernel of the set on the device that holds the arguments, on torch's current stream."""
    import torch

    device = next(value.device for value in arguments.values() if isinstance(value, torch.Tensor))
    values = {
        name: value.data_ptr() if isinstance(value, torch.Tensor) else value
        for name, value in arguments.items()
    }
    stream = torch.cuda.current_stream(device)
    cubin_set().launch(kernel.name, dtype, variant, values, stream.cuda_stream, stream.device_index)


def __getattr__(op: str) -> Callable[..., Any]:
    """An op, so that torch is imported only where one runs."""
    if op.startswith("_"):
        raise AttributeError(op)
    from .gpu import GpuOps

    return getattr(GpuOps(launch), op)
