"""One CUDA binding drives a bundle's image engine in every way that it can be called; all must agree.

python -m bench.gpu.binding --bundle FOLDER --binding cuda-bindings
"""

from __future__ import annotations

import argparse
import importlib
import json
import statistics
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from bench.measure import seconds
from vocabseg.bundle import read_manifest
from vocabseg.export.verification import read_reference
from vocabseg.tensorrt import Encoder
from vocabseg.tensorrt.cuda import BINDINGS

WINDOWS = 5
# Features are unit vectors, and one engine computes them all.
LARGEST_DIFFERENCE = 1e-4
_WARM_UPS, _RUNS = 5, 50


def main(argv: list[str] | None = None) -> int:
    """Prints JSON: ``largest_difference`` by way, to the first run, and to the bundle's reference where it has one; and
    ``ms``, the median time of a run by way."""
    parser = argparse.ArgumentParser(prog="python -m bench.gpu.binding")
    parser.add_argument("--bundle", type=Path, required=True)
    parser.add_argument("--binding", required=True)
    args = parser.parse_args(argv)
    manifest = read_manifest(args.bundle)
    shape = (WINDOWS, 3, manifest["window"]["height"], manifest["window"]["width"])
    windows = np.random.default_rng(0).standard_normal(shape, np.float32)
    with Encoder.load(args.bundle, binding=args.binding) as encode:
        first = encode(windows)
        found = {name: float(np.abs(way(windows) - first).max()) for name, way in ways(encode)}
        if manifest.get("reference"):
            reference, _ = read_reference(args.bundle, manifest)
            features = encode(reference["windows"])
            found["reference"] = float(np.abs(features - reference["features"]).max())
        milliseconds = times(encode, windows, "")
    with no_graphs(args.binding), Encoder.load(args.bundle, binding=args.binding) as encode:
        milliseconds |= times(encode, windows, ", no graph")
    sys.stdout.write(json.dumps({"largest_difference": found, "ms": milliseconds}) + "\n")
    return 0


def times(encode: Encoder, windows: np.ndarray, note: str) -> dict[str, float]:
    """Median milliseconds of a run on host arrays, copies included, and on device arrays."""
    found = {f"host arrays{note}": median_ms(lambda: encode(windows))}
    torch = torch_on_gpu()
    if torch is not None:
        on_gpu = torch.from_numpy(windows).cuda()
        found[f"device arrays{note}"] = median_ms(lambda: (encode(on_gpu), torch.cuda.synchronize()))
    return found


def median_ms(work: Callable[[], Any]) -> float:
    for _ in range(_WARM_UPS):
        work()
    return 1000 * statistics.median(seconds(work) for _ in range(_RUNS))


@contextmanager
def no_graphs(binding: str) -> Iterator[None]:
    """Encoders that are loaded inside do not capture their runs."""
    module, _, name = BINDINGS[binding].partition(":")
    kind = getattr(importlib.import_module(f"vocabseg.tensorrt.{module}"), name)
    before = kind.graphs
    kind.graphs = False
    try:
        yield
    finally:
        kind.graphs = before


def ways(encode: Encoder) -> Iterator[tuple[str, Callable[[np.ndarray], np.ndarray]]]:
    """The second run of a size is captured as a graph, the third replays it."""
    yield "captured", encode
    yield "replayed", encode
    yield "one by one", lambda windows: np.concatenate([encode(row[None]) for row in windows])
    yield "another thread", lambda windows: in_thread(encode, windows)
    torch = torch_on_gpu()
    if torch is not None:
        yield "device arrays", lambda windows: on_device(torch, encode, windows)


def in_thread(encode: Encoder, windows: np.ndarray) -> np.ndarray:
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(encode, windows).result()


def torch_on_gpu() -> Any:
    """torch, where it is installed and sees a GPU."""
    try:
        import torch
    except ImportError:
        return None
    return torch if torch.cuda.is_available() else None


def on_device(torch: Any, encode: Encoder, windows: np.ndarray) -> np.ndarray:
    """Made and read on a stream that is not the default one."""
    with torch.cuda.stream(torch.cuda.Stream()):
        found: np.ndarray = torch.from_dlpack(encode(torch.from_numpy(windows).cuda())).cpu().numpy()
    return found


if __name__ == "__main__":
    sys.exit(main())
