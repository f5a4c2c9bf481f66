"""All kernels to a set of cubins, over several processes."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import tempfile
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import catalogue, manifest

ADDR_NO_RANDOMIZE = 0x0040000  # <sys/personality.h>; programs that a process starts inherit it


@dataclass(frozen=True)
class Job:
    """One cubin to compile. Named, not held: a worker looks the kernel up in its own Triton."""

    kernel: str
    dtype: str
    variant: tuple[tuple[str, int], ...]
    arch: int


def build(
    out: Path,
    archs: Iterable[int],
    names: Iterable[str] | None = None,
    processes: int = 1,
    progress: Callable[[int, int], None] = lambda done, all: None,
) -> dict[str, Any]:
    """Compile kernels (None: all) for architectures into the folder ``out``, and return the manifest.

    The workers are new processes with an environment of their own, so that the caller's Triton (interpreter,
    cache, options) has no influence: the same sources and the same Triton give the same bytes.
    """
    with tempfile.TemporaryDirectory(prefix="vocabseg-aot-") as cache:
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(processes, context, initializer=prepare, initargs=(cache,)) as pool:
            jobs, compiler = pool.submit(plan, tuple(archs), None if names is None else tuple(names)).result()
            cubins = []
            for cubin in pool.map(compile_job, jobs):
                cubins.append(cubin)
                progress(len(cubins), len(jobs))
    return manifest.write(out, cubins, compiler)


def prepare(cache: str) -> None:
    """Give this process a Triton that compiles, whatever the caller's environment says about Triton."""
    for name in [name for name in os.environ if name.startswith(("TRITON_", "PTXAS_", "DISABLE_PTXAS"))]:
        del os.environ[name]
    os.environ["TRITON_CACHE_DIR"] = cache
    os.environ["TRITON_DISABLE_LINE_INFO"] = "1"
    # What the assembler for Blackwell writes depends on where its memory lies.
    ctypes.CDLL(None).personality(ADDR_NO_RANDOMIZE)


def plan(archs: tuple[int, ...], names: tuple[str, ...] | None) -> tuple[list[Job], dict[str, str]]:
    """What there is to compile, and the compiler's versions."""
    kernels = catalogue.kernels(names)
    jobs = [
        Job(kernel.name, dtype, tuple(sorted(variant.items())), arch)
        for arch in archs
        for kernel in kernels
        for dtype in kernel.dtypes
        for variant in kernel.variants
    ]
    return jobs, catalogue.compiler()


def compile_job(job: Job) -> tuple[bytes, dict[str, Any]]:
    from .compile import compile_kernel

    (kernel,) = catalogue.kernels([job.kernel])
    return compile_kernel(kernel, job.dtype, dict(job.variant), job.arch)
