"""Arrays of any library in, results of the same kind out: NumPy, torch, and whatever speaks DLPack or has the CUDA array
interface."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from ..errors import ShapeError

# DLPack's numbers for memory that the CPU reads.
HOST = {1, 3, 11}


class Given:
    """The array arguments of one call, on one device, and the way back.

    ``arrays`` are NumPy arrays (memory is shared with CPU tensors; bfloat16 is the type of ``ml_dtypes``), or
    torch CUDA tensors where the arguments are on a GPU. None and lists of dictionaries pass unchanged.
    """

    def __init__(self, *arguments: Any) -> None:
        given = [_read(argument) for argument in arguments]
        devices = {device for _, device in given if device}
        if len(devices) > 1:
            raise ShapeError(f"got arrays on {' and '.join(sorted(devices))}, expected all on one device")
        self.arrays = [array for array, _ in given]
        self.device = devices.pop() if devices else "cpu"
        self._torch = _is_tensor(arguments[0])

    def back(self, result: Any) -> Any:
        """``result``, an array or a tuple of them, as the kind of the first argument.

        Arrays of other libraries are answered with NumPy arrays or torch CUDA tensors, which speak DLPack and have the
        CUDA array interface themselves.
        """
        if isinstance(result, tuple):
            return tuple(self.back(item) for item in result)
        if not self._torch or not isinstance(result, np.ndarray):
            return result
        torch = sys.modules["torch"]
        if result.dtype.name == "bfloat16":
            return torch.from_numpy(result.view(np.int16)).view(torch.bfloat16)
        return torch.from_numpy(result)


def dtype_name(array: Any) -> str:
    """The name of a NumPy or torch dtype, such as ``float32``."""
    return str(array.dtype).removeprefix("torch.")


def signed(array: Any) -> Any:
    """Integers that can be compared: torch has no arithmetic on unsigned ones of more than a byte."""
    wider = {"uint16": "int32", "uint32": "int64", "uint64": "int64"}
    if not _is_tensor(array) or dtype_name(array) not in wider:
        return array
    return array.to(getattr(sys.modules["torch"], wider[dtype_name(array)]))


def stacked(arrays: Any) -> Any:
    """A list of arrays as one: a tensor where all are tensors, which may be on a GPU, else a NumPy array.

    Raises ValueError or RuntimeError where they do not fit together.
    """
    if isinstance(arrays, list | tuple) and arrays and all(map(_is_tensor, arrays)):
        return sys.modules["torch"].stack(list(arrays))
    return np.asarray(arrays)


def bfloat16() -> np.dtype:
    """NumPy's bfloat16, which is a type of the package ml_dtypes."""
    try:
        import ml_dtypes
    except ImportError as error:
        raise ShapeError("bfloat16 arrays on the CPU need: pip install ml_dtypes") from error
    return np.dtype(ml_dtypes.bfloat16)


def _is_tensor(array: Any) -> bool:
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(array, torch.Tensor)


def _read(array: Any) -> tuple[Any, str | None]:
    """The array and its device; None where it has none."""
    if array is None or _is_codes(array):
        return array, None
    if _is_tensor(array):
        return _read_tensor(array)
    if not isinstance(array, np.ndarray) and hasattr(array, "__dlpack_device__"):
        return _read_dlpack(array)
    if hasattr(array, "__cuda_array_interface__"):
        return _read_tensor(_torch().as_tensor(array, device="cuda"))
    return np.asarray(array), "cpu"


def _is_codes(array: Any) -> bool:
    return isinstance(array, list | tuple) and all(isinstance(item, dict) for item in array)


def _read_tensor(tensor: Any) -> tuple[Any, str]:
    tensor = tensor.detach()
    if tensor.device.type == "cuda":
        return tensor, str(tensor.device)
    if tensor.device.type != "cpu":
        raise ShapeError(
            f"got a tensor on {tensor.device}, expected the CPU or a CUDA device: move it with .cpu()"
        )
    if dtype_name(tensor) == "bfloat16":
        torch = sys.modules["torch"]
        return tensor.view(torch.int16).numpy().view(bfloat16()), "cpu"
    return tensor.resolve_conj().resolve_neg().numpy(), "cpu"


def _read_dlpack(array: Any) -> tuple[Any, str]:
    kind, _ = array.__dlpack_device__()
    if kind in HOST:
        return np.from_dlpack(array), "cpu"
    return _read_tensor(_torch().from_dlpack(array))


def _torch() -> Any:
    """Raises ``ShapeError`` where it is not installed."""
    try:
        import torch
    except ImportError as error:
        raise ShapeError("arrays on a GPU are passed through torch: pip install torch") from error
    return torch
