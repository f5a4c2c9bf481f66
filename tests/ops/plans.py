"""Window plans of every kind, and the textbook way from patches to pixels with ``np.interp``."""

from __future__ import annotations

import numpy as np

from vocabseg.kernels.common.window_plan import make_plan, single_window, slide_plan, whole_plan

PLANS = {
    "one patch": single_window((1, 1), (1, 1)),
    "one row": single_window((1, 9), (1, 4)),
    "stretched": single_window((23, 31), (3, 5)),
    "smaller than the grid": single_window((2, 3), (4, 5)),
    "slide": make_plan((40, 52), net=(40, 52), crop=(24, 24), stride=(12, 12), grid=(3, 3)),
    "slide, ragged": make_plan((37, 29), net=(37, 29), crop=(16, 20), stride=(7, 9), grid=(2, 3)),
    "no overlap": make_plan((48, 32), net=(48, 32), crop=(16, 16), stride=(16, 16), grid=(2, 2)),
    "padded": make_plan((20, 13), net=(20, 13), crop=(16, 16), stride=(8, 8), grid=(4, 4), padded=(21, 16)),
    "smaller than the window": make_plan(
        (9, 7), net=(9, 7), crop=(16, 16), stride=(8, 8), grid=(4, 4), padded=(16, 16)
    ),
    "resized": slide_plan(
        (75, 101), crop=(32, 32), stride=(16, 16), short_side=48, long_side=200, grid=(4, 4)
    ),
    "enlarged": slide_plan(
        (11, 17), crop=(32, 32), stride=(16, 16), short_side=48, long_side=200, grid=(4, 4)
    ),
    "whole": whole_plan((30, 44), crop=(32, 48), grid=(4, 6)),
    "whole, other shape": whole_plan((60, 31), crop=(32, 48), grid=(4, 6)),
}


def scores_for(plan, queries: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.standard_normal((plan.windows, queries, plan.grid_h, plan.grid_w)).astype(np.float32)


def interp(values: np.ndarray, length: int, axis: int) -> np.ndarray:
    size = values.shape[axis]
    at = (np.arange(length) + 0.5) * size / length - 0.5
    return np.apply_along_axis(
        lambda line: np.interp(at, np.arange(size), line), axis, values.astype(np.float64)
    )


def textbook(patches: np.ndarray, plan, size: tuple[int, int]) -> np.ndarray:
    """[W, K, gh, gw] -> [K, H, W]: windows up-sampled, cut, added up, divided by the count, resized."""
    total = np.zeros((patches.shape[1], plan.net_h, plan.net_w))
    count = np.zeros((plan.net_h, plan.net_w))
    for i, y in enumerate(plan.ys):
        for j, x in enumerate(plan.xs):
            padded = interp(interp(patches[i * len(plan.xs) + j], plan.padded_h, 1), plan.padded_w, 2)
            window = padded[:, plan.pad_top :, plan.pad_left :][:, : plan.window_h, : plan.window_w]
            total[:, y : y + plan.window_h, x : x + plan.window_w] += window
            count[y : y + plan.window_h, x : x + plan.window_w] += 1
    return interp(interp(total / count, size[0], 1), size[1], 2)
