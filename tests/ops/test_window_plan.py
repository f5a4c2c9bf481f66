"""The core's window plans equal the specification's, for frames of every shape."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import pytest

from vocabseg.errors import ShapeError
from vocabseg.kernels.common.window_plan import slide_plan, whole_plan, window_starts

core = pytest.importorskip("vocabseg._core").ops


def core_plan(mode: str, source, crop, stride=(1, 1), short_side=1, long_side=1, grid=(14, 14)) -> dict:
    plan = core.plan_windows(mode, source, crop, stride, short_side, long_side, grid)
    names = asdict(slide_plan((8, 8), crop=(8, 8), stride=(8, 8), short_side=8, long_side=8, grid=(1, 1)))
    fields = {name: getattr(plan, name) for name in names}
    return fields | {"ys": tuple(plan.ys), "xs": tuple(plan.xs)}


def test_slide() -> None:
    rng = np.random.default_rng(0)
    for _ in range(300):
        source = tuple(rng.integers(1, 3000, 2).tolist())
        rule = {
            "crop": (224, 192),
            "stride": (112, 97),
            "short_side": 336,
            "long_side": 2048,
            "grid": (14, 12),
        }
        assert core_plan("slide", source, **rule) == asdict(slide_plan(source, **rule))


def test_whole() -> None:
    rng = np.random.default_rng(0)
    for _ in range(300):
        source = tuple(rng.integers(100, 3000, 2).tolist())
        rule = {"crop": (336, 448), "grid": (21, 28)}
        assert core_plan("whole", source, **rule) == asdict(whole_plan(source, **rule))


def test_exact_aspect_is_one_window() -> None:
    for factor in (0.5, 1, 2, 3):
        plan = whole_plan((int(336 * factor), int(448 * factor)), crop=(336, 448), grid=(21, 28))
        assert (plan.windows, plan.net_h, plan.net_w) == (1, 336, 448)


def test_last_window_is_shifted_back() -> None:
    assert window_starts(100, 40, 25) == (0, 25, 50, 60)
    assert window_starts(30, 40, 25) == (0,)
    assert window_starts(40, 40, 25) == (0,)


def test_too_elongated() -> None:
    with pytest.raises(ShapeError, match="windows"):
        core_plan("whole", (1, 30000), crop=(336, 448))
    with pytest.raises(ValueError, match="windows"):
        whole_plan((1, 30000), crop=(336, 448), grid=(1, 1))


@pytest.mark.parametrize("crop, stride", [((0, 4), (1, 1)), ((4, 4), (0, 1))])
def test_bad_rules(crop, stride) -> None:
    with pytest.raises(ShapeError):
        core_plan("slide", (10, 10), crop=crop, stride=stride)
