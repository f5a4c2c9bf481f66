"""One CUDA binding drives a bundle's image engine in every way that it can be called; all must agree.

python -m bench.gpu.binding --bundle FOLDER --binding cuda-bindings
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from vocabseg.bundle import read_manifest
from vocabseg.tensorrt import Encoder

WINDOWS = 5
# Features are unit vectors, and one engine computes them all.
LARGEST_DIFFERENCE = 1e-4


def main(argv: list[str] | None = None) -> int:
    """Prints ``{"largest_difference": {way: number}}`` as JSON."""
    parser = argparse.ArgumentParser(prog="python -m bench.gpu.binding")
    parser.add_argument("--bundle", type=Path, required=True)
    parser.add_argument("--binding", required=True)
    args = parser.parse_args(argv)
    window = read_manifest(args.bundle)["window"]
    shape = (WINDOWS, 3, window["height"], window["width"])
    windows = np.random.default_rng(0).standard_normal(shape, np.float32)
    with Encoder.load(args.bundle, binding=args.binding) as encode:
        first = encode(windows)
        found = {name: float(np.abs(way(windows) - first).max()) for name, way in ways(encode)}
    sys.stdout.write(json.dumps({"largest_difference": found}) + "\n")
    return 0


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
