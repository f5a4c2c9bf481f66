"""The description of every kernel fits its function. Compiling them all is tests/aot's work."""

from __future__ import annotations

from importlib import import_module
from types import SimpleNamespace

import pytest

torch = pytest.importorskip("torch", reason="needs the extra: test")
pytest.importorskip("triton", reason="needs the extra: triton")

from vocabseg.kernels.aot import catalogue
from vocabseg.kernels.aot.architectures import ARCHITECTURES
from vocabseg.kernels.common.triton_kernel import ITEMSIZE, Kernel, aligned, grid_of

FOLDERS = [path.parent.name for path in catalogue.FOLDER.glob("*/triton.py")]
MODULES = [import_module(f"vocabseg.kernels.{folder}.triton") for folder in sorted(FOLDERS)]
KERNELS = [kernel for module in MODULES for kernel in module.KERNELS]


def values_of(kernel: Kernel, variant: dict[str, int], dtype: str) -> dict[str, int]:
    integers = {name: 48 for name, kind in kernel.signature.items() if kind == "i32"}
    return integers | variant | kernel.blocks(87, dtype).constexprs


def test_names_are_unique() -> None:
    assert len({kernel.name for kernel in KERNELS}) == len(KERNELS)


@pytest.mark.parametrize("kernel", KERNELS, ids=lambda kernel: kernel.name)
def test_description(kernel) -> None:
    for dtype in kernel.dtypes:
        for variant in kernel.variants:
            for arch in ARCHITECTURES:
                constexprs = variant | kernel.blocks(arch, dtype).constexprs
                declared = [*kernel.signature, *constexprs]
                assert sorted(declared) == sorted(kernel.function.arg_names)
                assert [name for name in kernel.function.arg_names if name in kernel.signature] == [
                    *kernel.signature
                ]
            values = values_of(kernel, variant, dtype)
            grid = grid_of(kernel, values)
            assert 1 <= len(grid) <= 3 and all(programs > 0 for programs in grid)
            flops, moved = kernel.work(values | {"itemsize": ITEMSIZE[dtype]})
            assert flops > 0 and moved > 0
    assert set(kernel.divisible) <= {name for name, kind in kernel.signature.items() if kind == "i32"}


@pytest.mark.parametrize("kernel", KERNELS, ids=lambda kernel: kernel.name)
def test_launch_metadata(kernel) -> None:
    """What a profiler asks for at each launch."""
    dtype = {"fp32": torch.float32, "fp16": torch.float16}[kernel.dtypes[0]]
    tensors = {name: torch.zeros(1, dtype=dtype) for name, kind in kernel.signature.items() if kind == "*T"}
    values = values_of(kernel, kernel.variants[0], kernel.dtypes[0])
    described = kernel.function.launch_metadata((1, 1, 1), SimpleNamespace(name="kernel"), values | tensors)
    assert described["name"] == "kernel"
    assert described["bytes"] > 0
    assert any(key.startswith("flops") and value > 0 for key, value in described.items())


def test_aligned() -> None:
    tensor = torch.arange(32.0)
    assert aligned(tensor) is tensor
    for view in (tensor[1:], tensor[::2]):
        assert aligned(view).data_ptr() % 16 == 0
        assert torch.equal(aligned(view), view)
