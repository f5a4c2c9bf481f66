"""Frames of every kind through a segmenter on the C++ tests' driver: what was copied, awaited and read, as JSON.

python frames_on_fake_gpu.py BUNDLE DRIVER    LD_LIBRARY_PATH has driver and TensorRT's stand-in
"""

from __future__ import annotations

import ctypes
import json
import sys

import numpy as np

from test_device_arrays import Exchange, Interface
from vocabseg import NV12, Segmenter, Vocabulary
from vocabseg.errors import VocabsegError

HEIGHT, WIDTH = 40, 64


def aligned(*shape: int) -> np.ndarray:
    """Zeros that start at a multiple of 256."""
    size = int(np.prod(shape))
    memory = np.zeros(size + 256, np.uint8)
    start = -memory.ctypes.data % 256
    return memory[start : start + size].reshape(shape)


def frames() -> dict[str, object]:
    rgb, rgba = aligned(HEIGHT, WIDTH, 3), aligned(HEIGHT, WIDTH, 4)
    wide = aligned(HEIGHT, 2 * WIDTH, 3)[:, :WIDTH]
    luma, chroma = aligned(HEIGHT, WIDTH), aligned(HEIGHT // 2, WIDTH)
    pairs = chroma.reshape(HEIGHT // 2, WIDTH // 2, 2)
    return {
        "host": rgb,
        "interface": Interface(rgb),
        "interface with a stream": Interface(rgb, stream=1),
        "dlpack": Exchange(rgb, device=0),
        "alpha": Interface(rgba),
        "gaps": Interface(wide),
        "nv12 on the host": NV12(luma, chroma),
        "nv12": NV12(Interface(luma), Interface(pairs)),
        "nv12 with a stream": NV12(Interface(luma, stream=1), Exchange(chroma, device=0)),
        "grey": Interface(luma),
        "channels first": Interface(aligned(3, HEIGHT, WIDTH)),
        "planes apart": Interface(aligned(3, HEIGHT, WIDTH).transpose(1, 2, 0)),
        "floats": Interface(rgb.astype(np.float32)),
        "another gpu": Exchange(rgb, device=1),
        "upwards": Interface(rgb[::-1]),
        "half on the host": NV12(Interface(luma), chroma),
        "odd": NV12(Interface(aligned(39, WIDTH)), Interface(aligned(19, WIDTH))),
        "unlike planes": NV12(Interface(luma), Interface(luma)),
        "two streams": NV12(Interface(luma, stream=1), Interface(chroma, stream=2)),
        "planes with gaps": NV12(Interface(aligned(HEIGHT, 2 * WIDTH)[:, ::2]), Interface(chroma)),
    }


def main(bundle: str, library: str) -> None:
    driver = ctypes.CDLL(library)
    driver.fake_cuda_operations.restype = driver.fake_cuda_launches.restype = ctypes.c_char_p
    segmenter = Segmenter.load(bundle, backend="tensorrt")
    rows = np.eye(2, 16, dtype=np.float32)
    segmenter.set_vocabulary(
        Vocabulary(("a", "b"), ("a", "b"), np.arange(2, dtype=np.int32), embeddings=rows)
    )
    segmenter(np.zeros((HEIGHT, WIDTH, 3), np.uint8), scores=False)
    found = {}
    for name, frame in frames().items():
        driver.fake_cuda_operations()
        try:
            labels = segmenter(frame, scores=False).labels
            launches = driver.fake_cuda_launches().decode()
            operations = driver.fake_cuda_operations().decode().split("\n")
            regions = segmenter.classify_masks(frame, np.ones((1, HEIGHT, WIDTH), bool))
        except VocabsegError as error:
            found[name] = {"error": f"{type(error).__name__}: {error}"}
            continue
        address = first_address(frame).to_bytes(8, "little").hex()
        found[name] = {
            "shape": labels.shape,
            "regions": len(regions.area),
            "operations": [line for line in operations if line],
            "read_in_place": address in launches,
        }
    sys.stdout.write(json.dumps(found))


def first_address(frame: object) -> int:
    plane = frame.luma if isinstance(frame, NV12) else frame
    return getattr(plane, "array", plane).ctypes.data


if __name__ == "__main__":
    main(*sys.argv[1:])
