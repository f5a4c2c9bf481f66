"""What the ops' host code launches for small frames, for the C++ tests of the frame on the device.

``python tests/frame_launches.py`` writes it to ``cpp/tests/cuda/frame_launches.json``: each kernel's arguments and
grid, and for each case the launches with their integer and float arguments.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from vocabseg.kernels.aot.compile import arguments as kernel_arguments
from vocabseg.kernels.common.triton_kernel import INTERPRETED_ARCH, Kernel
from vocabseg.kernels.common.window_plan import make_plan
from vocabseg.ops.gpu import GpuOps
from vocabseg.ops.mask_forms import Masks

PATH = Path(__file__).resolve().parents[1] / "cpp" / "tests" / "cuda" / "frame_launches.json"
# Two windows of 32 pixels, 4 x 4 patches, 16 wide: as the C++ tests' bundle makes them.
HEIGHT, WIDTH, DIM = 40, 60, 16
PLAN = make_plan((HEIGHT, WIDTH), net=(32, 48), crop=(32, 32), stride=(16, 16), grid=(4, 4))


@dataclass
class Recorder:
    kernels: dict[str, dict[str, Any]] = field(default_factory=dict)
    launches: list[dict[str, Any]] = field(default_factory=list)

    def __call__(
        self, kernel: Kernel, dtype: str, variant: dict[str, int], arguments: dict[str, Any]
    ) -> None:
        constexprs = variant | kernel.blocks(INTERPRETED_ARCH, dtype).constexprs
        grid = [
            [{"argument": f.argument, "divisor": constexprs.get(f.divisor, f.divisor)} for f in dimension]
            for dimension in kernel.grid
        ]
        key = " ".join([kernel.name, dtype, *(f"{name}={value}" for name, value in variant.items())])
        self.kernels[key] = {
            "kernel": kernel.name,
            "dtype": dtype,
            "variant": variant,
            "arguments": kernel_arguments(kernel),
            "grid": grid,
        }
        numbers = {name: value for name, value in arguments.items() if isinstance(value, int | float)}
        self.launches.append({"kernel": key, "numbers": dict(sorted(numbers.items()))})


def frame(ops: GpuOps, image: Any, resize: str) -> None:
    ones = np.ones(3, np.float32)
    ops.preprocess(image, PLAN, resize=resize, mean=ones, std=ones, dtype="float32", threads=None)


def labels(ops: GpuOps, classes: int, scores: bool) -> None:
    features, text = torch.zeros(2, 16, DIM), torch.zeros(classes, DIM)
    similarity = ops.patch_text_similarity(
        features, text, normalize=False, query_to_class=None, classes=0, threads=None
    )
    ops.decode_labels(
        similarity.reshape(2, classes, 4, 4),
        PLAN,
        (HEIGHT, WIDTH),
        query_to_class=np.arange(classes),
        classes=classes,
        class_enabled=None,
        logit_scale=40.0,
        threshold=0.0,
        unlabeled=255 if classes <= 255 else 65535,
        return_scores=scores,
        interpolation="bilinear",
        regions=None,
        threads=None,
    )


def pooling(ops: GpuOps, form: str, masks: Any, count: int) -> None:
    data = Masks(form, masks, count, (HEIGHT, WIDTH), None)
    ops.mask_pool(torch.zeros(2, 16, DIM), data, PLAN, threads=None)


def document() -> dict[str, Any]:
    rgb = torch.zeros(HEIGHT, WIDTH, 3, dtype=torch.uint8)
    luma, chroma = rgb[..., 0], torch.zeros(HEIGHT // 2, WIDTH, dtype=torch.uint8)
    code = [np.array([600, 1200, 600], np.uint32), np.array([0, 2400], np.uint32)]
    cases = {
        "bilinear": lambda ops: frame(ops, rgb, "bilinear"),
        "bicubic": lambda ops: frame(ops, rgb, "bicubic"),
        "nv12": lambda ops: frame(ops, (luma, chroma), "bilinear"),
        "labels": lambda ops: labels(ops, 3, False),
        "labels with scores": lambda ops: labels(ops, 3, True),
        "wide labels": lambda ops: labels(ops, 300, False),
        "bool masks": lambda ops: pooling(ops, "bool", torch.zeros(2, HEIGHT, WIDTH, dtype=torch.bool), 2),
        "label map": lambda ops: pooling(ops, "labels", torch.zeros(HEIGHT, WIDTH, dtype=torch.int32), 2),
        "run lengths": lambda ops: pooling(ops, "rle", code, 2),
    }
    kernels, launches = {}, {}
    for name, run in cases.items():
        recorder = Recorder()
        run(GpuOps(recorder))
        kernels |= recorder.kernels
        launches[name] = recorder.launches
    return {"kernels": dict(sorted(kernels.items())), "launches": launches}


def text() -> str:
    parts = []
    for name, group in document().items():
        lines = ",\n".join(f"{json.dumps(key)}: {json.dumps(value)}" for key, value in group.items())
        parts.append(f"{json.dumps(name)}: {{\n{lines}\n}}")
    return "{" + ",\n".join(parts) + "}\n"


if __name__ == "__main__":
    PATH.write_text(text())
