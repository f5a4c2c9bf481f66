"""The chips that predictions are made for, with the public figures that they are made from.

Bandwidth in bytes/s, rates in flop/s at the boost (Jetson: maximum) clock, dense, with float32 accumulation.
The tensor rate is for float16 and bfloat16. Sources are named per chip; where a figure isn't published as such
it is derived as stated.
"""

from __future__ import annotations

from dataclasses import dataclass

GIGA, TERA = 1e9, 1e12


@dataclass(frozen=True)
class Chip:
    name: str
    arch: int
    multiprocessors: int
    bandwidth: float
    float32: float
    tensor: float
    source: str


ORIN_TENSOR = "float16 dense = 1/4 of the sparse INT8 rate"
CHIPS = (
    Chip(
        "Jetson Orin Nano 8 GB",
        87,
        8,
        68 * GIGA,
        8 * 256 * 625e6,
        10 * TERA,
        "NVIDIA data sheet (1024 cores, 625 MHz, 40 sparse INT8 TOPS; scribd.com/document/673174036), "
        f"68 GB/s: github.com/hokwangchoi/jetson-orin-nano-benchmarks; {ORIN_TENSOR}; the 15 W clocks, not Super",
    ),
    Chip(
        "Jetson Orin NX 16 GB",
        87,
        8,
        102.4 * GIGA,
        1.88 * TERA,
        8 * 2048 * 918e6,
        "8 multiprocessors at 918 MHz: gist.github.com/atinfinity/8cede915acda05d0ff427c09604735dd (deviceQuery), "
        "102.4 GB/s, 1.88 TFLOP/s: TechPowerUp in github.com/huggingface/huggingface.js/pull/1333; "
        "tensor rate per clock as AGX Orin",
    ),
    Chip(
        "Jetson AGX Orin 64 GB",
        87,
        16,
        204.8 * GIGA,
        5.3 * TERA,
        42.5 * TERA,
        "NVIDIA Jetson AGX Orin technical brief (16 multiprocessors, 5.3 TFLOP/s, GPU 170 sparse INT8 TOPS; "
        f"quoted at mzph.cn/web/30785.shtml), data sheet DS-10662-001 (204.8 GB/s); {ORIN_TENSOR}",
    ),
    Chip(
        "Jetson Thor T5000",
        110,
        20,
        273 * GIGA,
        20 * 256 * 1.57e9,
        20 * 8192 * 1.57e9,
        "20 multiprocessors: forums.developer.nvidia.com/t/356355, 273 GB/s: github.com/antirez/ds4/pull/716, "
        "1.57 GHz, 8192 float16 flop per clock: torring.dev/blog/2026/rtx-spark-throttling (tcgen05 rate)",
    ),
    Chip(
        "GeForce RTX 4060",
        89,
        24,
        272 * GIGA,
        15.11 * TERA,
        30.23 * TERA,
        "hmc-tech.com/gpu/nvidia-geforce-rtx-4060-vs-nvidia-geforce-rtx-4060, fpsbench.com (272 GB/s)",
    ),
    Chip(
        "GeForce RTX 4090",
        89,
        128,
        1008 * GIGA,
        82.58 * TERA,
        165.2 * TERA,
        "hmc-tech.com/gpus/nvidia-geforce-rtx-4090-vs-nvidia-rtx-pro-5000-blackwell, thefpsreview.com (1008 GB/s)",
    ),
    Chip(
        "GeForce RTX 5090",
        120,
        170,
        1792 * GIGA,
        104.8 * TERA,
        209.5 * TERA,
        "spheron.network/blog/nvidia-rtx-5090-specs (170 multiprocessors, 1792 GB/s, 838 sparse float16 TFLOP/s); "
        "a quarter of that, dense and with float32 accumulation",
    ),
    Chip(
        "H100 SXM",
        90,
        132,
        3350 * GIGA,
        66.9 * TERA,
        989.4 * TERA,
        "glennklockwood.com/garden/processors/h100",
    ),
)
