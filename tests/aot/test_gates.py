"""What every cubin of the set must keep to."""

from __future__ import annotations

import zlib
from concurrent.futures import ThreadPoolExecutor

import pytest
from tools import opcodes

from vocabseg.kernels.aot import FOLDER, catalogue, manifest
from vocabseg.kernels.aot.architectures import ARCHITECTURES, MAX_REGISTERS_PER_THREAD, RESERVED_SHARED
from vocabseg.kernels.aot.elf import read_cubin

# Bytes of the whole set, packs and manifest, as they lie on disk and as git and wheels store them. Above them: fewer
# variants, or a set that is downloaded.
SIZE_CEILING = 16_000_000
COMPRESSED_CEILING = 4_000_000
TENSOR_CORES = {"HMMA", "HGMMA", "UTCHMMA"}
LOCAL_MEMORY = {"STL", "LDL"}
MULTIPLY_ADD = {"FFMA", "FFMA2"}
# Disassembling takes 0.2 s a cubin: these in every run, all architectures with -m slow.
QUICK = (87,)


def name_of(entry) -> str:
    variant = ",".join(f"{key}={value}" for key, value in entry["variant"].items())
    return f"{entry['kernel']}[{variant}] {entry['dtype']} sm_{entry['arch']}"


@pytest.fixture(scope="module")
def cubins(entries):
    return [(entry, read_cubin(manifest.cubin(FOLDER, entry))) for entry in entries]


def test_parameters_are_the_declared_arguments(cubins) -> None:
    for entry, cubin in cubins:
        declared = [(argument["offset"], argument["size"]) for argument in entry["arguments"]]
        assert declared == [(p.offset, p.size) for p in cubin.parameters], name_of(entry)
        scratch = [argument["name"] for argument in entry["arguments"][-2:]]
        assert scratch == ["global_scratch", "profile_scratch"], name_of(entry)


def test_manifest_says_what_the_cubin_says(cubins) -> None:
    for entry, cubin in cubins:
        said = (entry["arch"], entry["exact_arch"], entry["symbol"], entry["registers"], entry["stack_bytes"])
        found = (cubin.arch, cubin.exact_arch, cubin.symbol, cubin.registers, cubin.stack_bytes)
        assert said == found, name_of(entry)
        assert entry["warps"] * 32 == cubin.threads, name_of(entry)


def test_no_register_is_spilled(cubins) -> None:
    spilled = {name_of(entry): cubin.stack_bytes for entry, cubin in cubins if cubin.stack_bytes}
    assert not spilled
    assert all(cubin.registers <= MAX_REGISTERS_PER_THREAD for _, cubin in cubins)


def test_shared_memory_fits(cubins) -> None:
    for entry, cubin in cubins:
        assert entry["shared_bytes"] <= ARCHITECTURES[entry["arch"]].shared_bytes_per_block, name_of(entry)
        assert cubin.static_shared_bytes <= RESERVED_SHARED, name_of(entry)


def test_no_scratch_memory_is_asked_for(entries) -> None:
    """The launchers pass null pointers for it."""
    asked = [name_of(e) for e in entries if e["global_scratch_bytes"] or e["profile_scratch_bytes"]]
    assert not asked


def test_grids_are_made_of_integer_arguments(entries) -> None:
    for entry in entries:
        types = {argument["name"]: argument["type"] for argument in entry["arguments"]}
        assert 1 <= len(entry["grid"]) <= 3
        for factor in sum(entry["grid"], []):
            assert types[factor["argument"]] in ("i32", "i64"), name_of(entry)
            assert factor["divisor"] >= 1, name_of(entry)


def test_every_kernel_is_there_once(entries) -> None:
    found = [(e["kernel"], e["dtype"], tuple(sorted(e["variant"].items())), e["arch"]) for e in entries]
    expected = {
        (kernel.name, dtype, tuple(sorted(variant.items())), arch)
        for arch in {entry["arch"] for entry in entries}
        for kernel in catalogue.kernels()
        for dtype in kernel.dtypes
        for variant in kernel.variants
    }
    assert len(found) == len(set(found))
    assert set(found) == expected


def test_set_is_small() -> None:
    contents = [path.read_bytes() for path in FOLDER.iterdir()]
    assert sum(map(len, contents)) < SIZE_CEILING
    assert sum(len(zlib.compress(content)) for content in contents) < COMPRESSED_CEILING


def check_instructions(entries, unpacked) -> None:
    """Tensor cores for matrix products of float16 and bfloat16, and no local memory.

    Products of float32 are exact ("ieee"), which tensor cores are not: they must be fused multiply-adds instead.
    """
    uses_dot = {kernel.name: kernel.uses_dot for kernel in catalogue.kernels()}
    with ThreadPoolExecutor(2) as pool:
        counted = list(pool.map(lambda entry: opcodes(unpacked[entry["sha256"]]), entries))
    for entry, counts in zip(entries, counted, strict=True):
        assert counts["EXIT"], name_of(entry)
        assert not LOCAL_MEMORY & counts.keys(), name_of(entry)
        if uses_dot[entry["kernel"]] and entry["dtype"] == "fp32":
            assert MULTIPLY_ADD & counts.keys(), name_of(entry)
            assert not TENSOR_CORES & counts.keys(), name_of(entry)
        elif uses_dot[entry["kernel"]]:
            assert TENSOR_CORES & counts.keys(), name_of(entry)


def test_instructions(entries, unpacked) -> None:
    check_instructions([entry for entry in entries if entry["arch"] in QUICK], unpacked)


@pytest.mark.slow
def test_instructions_everywhere(entries, unpacked) -> None:
    check_instructions([entry for entry in entries if entry["arch"] not in QUICK], unpacked)
