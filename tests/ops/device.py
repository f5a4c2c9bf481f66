"""Arguments of an op to the device that VOCABSEG_TEST_DEVICE names ("cuda"), and results back: the tests speak NumPy."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

import ml_dtypes
import numpy as np

from vocabseg.ops import PackedMasks

DEVICE = os.environ.get("VOCABSEG_TEST_DEVICE", "cpu")
# Keyword arguments that lie where the data lies; the others are settings, which stay on the host.
DATA = {"bias", "regions", "weights"}


def on_device(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[list[Any], dict[str, Any]]:
    """The arguments of one call, arrays of data moved."""
    if DEVICE == "cpu":
        return list(args), kwargs
    moved = {
        name: _moved(np.asarray(value)) if name in DATA and value is not None else value
        for name, value in kwargs.items()
    }
    return [_moved(value) for value in args], moved


def on_host(result: Any, given: Any) -> Any:
    """A result on the CPU: NumPy where ``given``, the test's first argument, is not a tensor."""
    if isinstance(result, tuple):
        return tuple(on_host(item, given) for item in result)
    if result is None or isinstance(result, np.ndarray):
        return result
    import torch

    result = result.cpu()
    if isinstance(given, torch.Tensor):
        return result
    if result.dtype == torch.bfloat16:
        return result.view(torch.int16).numpy().view(ml_dtypes.bfloat16)
    return result.numpy()


def send(tensor: Any) -> Any:
    return tensor.to(DEVICE)


def _moved(value: Any) -> Any:
    if isinstance(value, PackedMasks):
        return replace(value, bits=_moved(value.bits))
    if isinstance(value, list | tuple) and value and all(isinstance(item, np.ndarray) for item in value):
        return type(value)(_moved(item) for item in value)
    if type(value).__name__ == "Tensor":
        return send(value)
    return _tensor(value) if isinstance(value, np.ndarray) else value


def _tensor(array: np.ndarray) -> Any:
    import torch

    # One value that is shown many times may be too large to be copied.
    if array.ndim and array.size and not any(array.strides):
        return _tensor(np.array([array.flat[0]])).expand(array.shape)
    copy = np.array(array, order="C")
    if copy.dtype == ml_dtypes.bfloat16:
        return send(torch.from_numpy(copy.view(np.int16)).view(torch.bfloat16))
    return send(torch.from_numpy(copy))
