"""What Triton's interpreter gets wrong, put right, and what it does not notice, noticed.

- bfloat16 ``tl.dot`` multiplies the bit patterns; here it goes through float32.
- float32 to bfloat16 truncates; here it rounds to the nearest, ties to even.
- Lanes outside an array read and write whatever lies there; here every lane that is not masked must lie inside an
  array that the kernel was given.

As a pytest plugin (``-p guard``) it covers every test. It also makes the interpreter several times faster.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
import torch
import triton.language as tl
from triton.runtime.interpreter import (
    GridExecutor,
    InterpretedFunction,
    InterpreterBuilder,
    InterpreterOptions,
    TensorHandle,
    _patch_lang,
    interpreter_builder,
)


class OutOfBounds(IndexError):
    """A lane that is not masked lies outside the kernel's arrays."""


@pytest.fixture(autouse=True)
def guard() -> Iterator[None]:
    with guarded():
        yield


@contextmanager
def guarded() -> Iterator[None]:
    """Inside the block, interpreted kernels compute correctly and are checked for range."""
    arrays = _Arrays()
    replacements = [
        (GridExecutor, "_init_args_hst", _noting(arrays)),
        (InterpreterBuilder, "create_masked_load", _checked("reads", arrays)),
        (InterpreterBuilder, "create_masked_store", _checked("writes", arrays)),
        (InterpreterBuilder, "create_dot", _exact_dot()),
        (InterpreterBuilder, "cast_impl", _rounding_cast()),
        # Sizes in tests are far from overflow; to check every integer sum for it takes half of the time.
        (interpreter_builder, "options", InterpreterOptions(sanitize_overflow=False)),
        (InterpretedFunction, "__call__", _call_device_function()),
    ]
    with ExitStack() as stack:
        for owner, name, function in replacements:
            stack.enter_context(patch.object(owner, name, function))
        yield


class _Arrays:
    """The memory of the arrays that the running kernel was given."""

    def __init__(self) -> None:
        self.kernel = ""
        self.starts = self.ends = np.zeros(0, np.uint64)

    def of_kernel(self, name: str, arguments: Sequence[Any]) -> None:
        self.kernel = name
        extents = sorted(_extent(argument) for argument in arguments if isinstance(argument, torch.Tensor))
        merged: list[list[int]] = []
        for start, end in extents:
            if merged and start <= merged[-1][1]:
                merged[-1][1] = max(end, merged[-1][1])
            else:
                merged.append([start, end])
        self.starts, self.ends = np.array(merged, np.uint64).reshape(-1, 2).T

    def check(self, verb: str, pointers: TensorHandle, mask: TensorHandle) -> None:
        lanes = np.broadcast_to(mask.data, pointers.data.shape)
        addresses = pointers.data[lanes]
        if addresses.size == 0:
            return
        size = np.uint64(max(pointers.get_element_ty().primitive_bitwidth // 8, 1))
        array = np.searchsorted(self.starts, addresses, "right") - 1
        outside = (array < 0) | (addresses + size > self.ends[array])
        if outside.any():
            raise OutOfBounds(
                f"kernel {self.kernel} {verb} {outside.sum()} lanes outside its arrays, without a mask"
            )


def _extent(tensor: torch.Tensor) -> tuple[int, int]:
    """First and last address of a tensor's elements."""
    start = tensor.data_ptr()
    if tensor.numel() == 0:
        return start, start
    last = sum((size - 1) * stride for size, stride in zip(tensor.shape, tensor.stride(), strict=True))
    return start, start + (last + 1) * tensor.element_size()


def _noting(arrays: _Arrays) -> Any:
    original = GridExecutor._init_args_hst

    def init_arguments(self: GridExecutor, given: Any, named: Any) -> Any:
        host = original(self, given, named)
        arrays.of_kernel(self.fn.__name__, [*host[0], *host[1].values()])
        return host

    return init_arguments


def _checked(verb: str, arrays: _Arrays) -> Any:
    load, store = InterpreterBuilder.create_masked_load, InterpreterBuilder.create_masked_store

    def checked_load(self: InterpreterBuilder, pointers: Any, mask: Any, *rest: Any) -> Any:
        arrays.check(verb, pointers, mask)
        return load(self, pointers, mask, *rest)

    def checked_store(self: InterpreterBuilder, pointers: Any, value: Any, mask: Any, *rest: Any) -> Any:
        arrays.check(verb, pointers, mask)
        return store(self, pointers, value, mask, *rest)

    return checked_load if verb == "reads" else checked_store


def _exact_dot() -> Any:
    original = InterpreterBuilder.create_dot

    def dot(self: InterpreterBuilder, a: TensorHandle, b: TensorHandle, *rest: Any) -> TensorHandle:
        return original(self, _widened(a), _widened(b), *rest)

    return dot


def _widened(handle: TensorHandle) -> TensorHandle:
    if handle.dtype.scalar != tl.bfloat16:
        return handle
    return TensorHandle((handle.data.astype(np.uint32) << 16).view(np.float32), tl.float32)


def _rounding_cast() -> Any:
    original = InterpreterBuilder.cast_impl

    def cast(self: InterpreterBuilder, source: TensorHandle, target: Any) -> TensorHandle:
        if source.dtype.scalar == tl.float32 and target.scalar == tl.bfloat16:
            rounded = torch.from_numpy(np.ascontiguousarray(source.data)).bfloat16()
            return TensorHandle(rounded.view(torch.int16).numpy().view(np.uint16), tl.bfloat16)
        return original(self, source, target)

    return cast


def _call_device_function() -> Any:
    """The interpreter patches the language at every call of a device function, which takes most of the time.

    Its kernels do that already; the standard library's own view of the language, which stays patched, needs it once.
    """
    patched = set()

    def call(self: InterpretedFunction, *args: Any, **kwargs: Any) -> Any:
        if self.fn.__module__ not in patched:
            _patch_lang(self.fn)
            patched.add(self.fn.__module__)
        return self.rewrite()(*args, **kwargs)

    return call
