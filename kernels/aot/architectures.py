"""The architectures that the set is compiled for, and what one of their multiprocessors holds."""

from __future__ import annotations

from dataclasses import dataclass

KIB = 1024
# The driver's own shared memory in each block, from sm_80 on.
RESERVED_SHARED = 1 * KIB
REGISTERS = 64 * KIB
WARP = 32
MAX_REGISTERS_PER_THREAD = 255


@dataclass(frozen=True)
class Architecture:
    """Limits of one multiprocessor. Source: NVIDIA CCCL, libcudacxx/include/cuda/__device/arch_traits.h."""

    shared_bytes: int
    max_blocks: int
    max_warps: int

    @property
    def shared_bytes_per_block(self) -> int:
        """The most that a block can ask for (the opt-in maximum)."""
        return self.shared_bytes - RESERVED_SHARED


ARCHITECTURES = {
    80: Architecture(164 * KIB, 32, 64),
    86: Architecture(100 * KIB, 16, 48),
    87: Architecture(164 * KIB, 16, 48),
    89: Architecture(100 * KIB, 24, 48),
    90: Architecture(228 * KIB, 32, 64),
    100: Architecture(228 * KIB, 32, 64),
    110: Architecture(228 * KIB, 24, 48),
    120: Architecture(100 * KIB, 24, 48),
}
