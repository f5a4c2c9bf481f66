"""The ELF reader against NVIDIA's cuobjdump."""

from __future__ import annotations

import pytest
from tools import parameters, resource_usage

from vocabseg.kernels.aot.elf import CubinError, read_cubin


@pytest.fixture(scope="module")
def one_of_each_arch(entries, unpacked):
    return list({entry["arch"]: unpacked[entry["sha256"]] for entry in entries}.values())


def test_agrees_with_cuobjdump(one_of_each_arch) -> None:
    for path in one_of_each_arch:
        cubin, usage = read_cubin(path.read_bytes()), resource_usage(path)
        assert list(cubin.parameters) == parameters(path)
        found = (cubin.registers, cubin.stack_bytes, cubin.static_shared_bytes)
        assert found == (usage["REG"], usage["STACK"], usage["SHARED"])


def test_other_bytes_are_refused(one_of_each_arch) -> None:
    data = one_of_each_arch[0].read_bytes()
    for bad in (b"", b"\x7fELF", b"x" * 400, data[:100], data[: len(data) // 2]):
        with pytest.raises(CubinError):
            read_cubin(bad)
