"""What a cubin says about its kernel, read from its ELF sections.

A cubin is an ELF file for NVIDIA's machine. ``.nv.info`` has a record per function (registers, stack), and
``.nv.info.<kernel>`` the kernel's own (parameters, threads). The format is not documented; NVIDIA's cuobjdump
shows it (``-elf``), and the tests compare both.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

EM_CUDA = 190
# A section that takes memory but no bytes of the file.
NO_BITS = 8
# Since this version of the ABI, the architecture is in the second byte of the flags.
ABI_BLACKWELL = 8
# Attributes of .nv.info, as cuobjdump names them after EIATTR_.
FRAME_SIZE, MIN_STACK_SIZE, REGCOUNT, KPARAM_INFO, REQNTID = 0x11, 0x12, 0x2F, 0x17, 0x10
# Attribute of .nv.compat (EICOMPAT_ATTR_): code for one architecture alone, such as sm_120a.
ACCELERATOR_TARGET = 0x09
ACCELERATOR_FLAG = 0x800
# A record is its format, its attribute, and a 16-bit value, which is a length where the value is sized.
SIZED = 4


class CubinError(ValueError):
    """Bytes that are not a cubin of one kernel."""


@dataclass(frozen=True)
class Parameter:
    """One parameter of a kernel: its place in the parameter area, in bytes."""

    ordinal: int
    offset: int
    size: int


@dataclass(frozen=True)
class Cubin:
    """What the ELF sections of a cubin with one kernel say."""

    symbol: str
    arch: int
    exact_arch: bool
    registers: int
    stack_bytes: int
    static_shared_bytes: int
    threads: int
    parameters: tuple[Parameter, ...]


@dataclass(frozen=True)
class Section:
    name: str
    size: int
    data: bytes


def read_cubin(data: bytes) -> Cubin:
    """Read a cubin of exactly one kernel. Raises ``CubinError``."""
    try:
        return _read(data)
    except (struct.error, IndexError, UnicodeDecodeError) as error:
        raise CubinError(f"the cubin is cut short: {error}") from error


def _read(data: bytes) -> Cubin:
    sections = {section.name: section for section in _sections(data)}
    prefix = ".nv.info."
    symbols = [name.removeprefix(prefix) for name in sections if name.startswith(prefix)]
    if len(symbols) != 1:
        raise CubinError(f"the cubin has the kernels {symbols}, expected exactly one")
    symbol = symbols[0]
    functions = list(_records(sections[".nv.info"].data))
    kernel = list(_records(sections[prefix + symbol].data))
    shared = sections.get(f".nv.shared.{symbol}")
    arch, exact = _target(data, sections.get(".nv.compat"))
    return Cubin(
        symbol=symbol,
        arch=arch,
        exact_arch=exact,
        registers=max(_per_function(functions, REGCOUNT)),
        stack_bytes=max(_per_function(functions, FRAME_SIZE) + _per_function(functions, MIN_STACK_SIZE)),
        static_shared_bytes=shared.size if shared else 0,
        threads=_threads(kernel),
        parameters=tuple(sorted(_parameters(kernel), key=lambda parameter: parameter.ordinal)),
    )


def _sections(data: bytes) -> Iterator[Section]:
    if data[:6] != b"\x7fELF\x02\x01" or struct.unpack_from("<H", data, 18)[0] != EM_CUDA:
        raise CubinError("these bytes are not a 64-bit ELF file for NVIDIA's machine")
    (start,) = struct.unpack_from("<Q", data, 40)
    entry_size, count, names = struct.unpack_from("<HHH", data, 58)
    headers = [struct.unpack_from("<IIQQQQ", data, start + i * entry_size) for i in range(count)]
    names_offset = headers[names][4]
    for name, kind, _, _, offset, size in headers:
        text = data[names_offset + name :].partition(b"\0")[0].decode()
        stored = b"" if kind == NO_BITS else data[offset : offset + size]
        if kind != NO_BITS and len(stored) != size:
            raise CubinError(f"the cubin is cut short: {text} ends after byte {len(data)}")
        yield Section(text, size, stored)


def _records(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Pairs of an attribute and its value."""
    position = 0
    while position < len(data):
        form, attribute, value = struct.unpack_from("<BBH", data, position)
        position += 4
        if form == SIZED:
            yield attribute, data[position : position + value]
            position += value
        else:
            yield attribute, value.to_bytes(2, "little")


def _per_function(records: list[tuple[int, bytes]], wanted: int) -> list[int]:
    """The values of an attribute that has a record (symbol, value) per function."""
    return [struct.unpack("<II", value)[1] for attribute, value in records if attribute == wanted]


def _parameters(records: list[tuple[int, bytes]]) -> Iterator[Parameter]:
    for attribute, value in records:
        if attribute == KPARAM_INFO:
            _, ordinal, offset, bits = struct.unpack("<IHHI", value)
            yield Parameter(ordinal, offset, bits >> 18)


def _threads(records: list[tuple[int, bytes]]) -> int:
    """Threads of a block, where the kernel requires a number of them; otherwise 0."""
    for attribute, value in records:
        if attribute == REQNTID:
            x, y, z = struct.unpack("<III", value)
            return x * y * z
    return 0


def _target(data: bytes, compat: Section | None) -> tuple[int, bool]:
    """The architecture, and whether the code runs on no other one."""
    (flags,) = struct.unpack_from("<I", data, 48)
    abi_version = data[8]
    if abi_version < ABI_BLACKWELL:
        return flags & 0xFF, bool(flags & ACCELERATOR_FLAG)
    attributes = dict(_records(compat.data)) if compat else {}
    return flags >> 8 & 0xFF, attributes.get(ACCELERATOR_TARGET, b"\0\0") != b"\0\0"
