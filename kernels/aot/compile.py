"""One kernel to one cubin, with its manifest entry. Imports Triton: see ``build.prepare`` for the environment."""

from __future__ import annotations

from typing import Any

import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from ..common.triton_kernel import Block, Kernel
from .elf import Cubin, CubinError, read_cubin

# Triton adds these after the declared arguments, always.
SCRATCH = ("global_scratch", "profile_scratch")
ALIGNMENT = 16
TYPES = {"i32": ("i32", 4), "i64": ("i64", 8), "fp32": ("f32", 4)}


def compile_kernel(
    kernel: Kernel, dtype: str, variant: dict[str, int], arch: int
) -> tuple[bytes, dict[str, Any]]:
    """The cubin of one kernel, and its manifest entry without its place in the pack.

    Raises ``CubinError`` where the cubin does not have the declared parameters.
    """
    block = kernel.blocks(arch, dtype)
    constexprs = {**variant, **block.constexprs}
    compiled = triton.compile(
        _source(kernel, dtype, constexprs),
        target=GPUTarget("cuda", arch, 32),
        options={"num_warps": block.num_warps, "num_stages": block.num_stages},
    )
    data = compiled.asm["cubin"]
    cubin = read_cubin(data)
    entry = {
        "kernel": kernel.name,
        "dtype": dtype,
        "variant": variant,
        "arch": arch,
        **_resources(compiled.metadata, cubin, block),
        "constexprs": block.constexprs,
        "arguments": arguments(kernel),
        "grid": _grid(kernel, constexprs),
    }
    check_parameters(entry["arguments"], cubin)
    return data, entry


def _source(kernel: Kernel, dtype: str, constexprs: dict[str, int]) -> ASTSource:
    names = kernel.function.arg_names
    declared = {name: kind.replace("*T", f"*{dtype}") for name, kind in kernel.signature.items()}
    if set(names) != {*declared, *constexprs}:
        missing = sorted(set(names) ^ {*declared, *constexprs})
        raise CubinError(f"{kernel.name}: signature, variant and block don't agree about {missing}")
    aligned = [name for name, kind in declared.items() if kind[0] == "*" or name in kernel.divisible]
    return ASTSource(
        fn=kernel.function,
        signature={name: declared.get(name, "constexpr") for name in names},
        constexprs=constexprs,
        attrs={(names.index(name),): [["tt.divisibility", ALIGNMENT]] for name in aligned},
    )


def arguments(kernel: Kernel) -> list[dict[str, Any]]:
    """The launch arguments in order, each with its type and its place in the parameter area."""
    kinds = {name: kind for name, kind in kernel.signature.items() if kind != "constexpr"}
    ordered = [(name, kinds[name]) for name in kernel.function.arg_names if name in kinds]
    placed, end = [], 0
    for name, kind in [*ordered, *((name, "*u8") for name in SCRATCH)]:
        type_name, size = ("pointer", 8) if kind[0] == "*" else TYPES[kind]
        offset = -(-end // size) * size
        divisor = ALIGNMENT if type_name == "pointer" or name in kernel.divisible else 1
        placed.append(
            {"name": name, "type": type_name, "offset": offset, "size": size, "divisible_by": divisor}
        )
        end = offset + size
    return placed


def check_parameters(declared: list[dict[str, Any]], cubin: Cubin) -> None:
    """Raises ``CubinError`` where the declared arguments are not the cubin's parameters."""
    expected = [(argument["offset"], argument["size"]) for argument in declared]
    found = [(parameter.offset, parameter.size) for parameter in cubin.parameters]
    if expected != found:
        raise CubinError(
            f"{cubin.symbol} has parameters (offset, size) {found}, its signature says {expected}"
        )


def _resources(metadata: Any, cubin: Cubin, block: Block) -> dict[str, Any]:
    return {
        "exact_arch": cubin.exact_arch,
        "symbol": cubin.symbol,
        "warps": metadata.num_warps,
        "stages": block.num_stages,
        "shared_bytes": metadata.shared,
        "global_scratch_bytes": metadata.global_scratch_size,
        "profile_scratch_bytes": metadata.profile_scratch_size,
        "registers": cubin.registers,
        "stack_bytes": cubin.stack_bytes,
    }


def _grid(kernel: Kernel, constexprs: dict[str, int]) -> list[list[dict[str, Any]]]:
    return [
        [
            {"argument": factor.argument, "divisor": _number(factor.divisor, constexprs)}
            for factor in dimension
        ]
        for dimension in kernel.grid
    ]


def _number(divisor: int | str, constexprs: dict[str, int]) -> int:
    return constexprs[divisor] if isinstance(divisor, str) else divisor
