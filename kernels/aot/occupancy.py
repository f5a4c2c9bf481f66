"""How many blocks of a kernel are resident on one multiprocessor."""

from __future__ import annotations

from .architectures import (
    ARCHITECTURES,
    MAX_REGISTERS_PER_THREAD,
    REGISTERS,
    RESERVED_SHARED,
    WARP,
)

# A warp's registers and a block's shared memory are allocated in these units, a register file per partition.
REGISTER_UNIT = 256
SHARED_UNIT = 128
PARTITIONS = 4


def resident_blocks(arch: int, warps: int, registers: int, shared_bytes: int) -> int:
    """Resident blocks of ``warps`` warps, with ``registers`` per thread and ``shared_bytes`` of dynamic memory.

    As NVIDIA's cuda_occupancy.h counts; 0 where not even one fits.
    """
    limits = ARCHITECTURES[arch]
    if registers > MAX_REGISTERS_PER_THREAD or shared_bytes > limits.shared_bytes_per_block:
        return 0
    registers_per_warp = _round_up(registers * WARP, REGISTER_UNIT)
    warps_by_registers = REGISTERS // PARTITIONS // registers_per_warp * PARTITIONS
    if _round_up(warps, PARTITIONS) * registers_per_warp > REGISTERS:
        return 0
    shared = _round_up(shared_bytes + RESERVED_SHARED, SHARED_UNIT)
    return min(
        limits.max_blocks,
        limits.max_warps // warps,
        warps_by_registers // warps,
        limits.shared_bytes // shared,
    )


def occupancy(arch: int, warps: int, registers: int, shared_bytes: int) -> float:
    """Resident warps as a share of those that a multiprocessor can hold."""
    return resident_blocks(arch, warps, registers, shared_bytes) * warps / ARCHITECTURES[arch].max_warps


def _round_up(value: int, unit: int) -> int:
    return -(-value // unit) * unit
