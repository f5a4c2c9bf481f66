"""Counted operations equal those that torch runs, less the products that a method does not need."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from torch.utils.flop_counter import FlopCounterMode

from vocabseg import methods
from vocabseg.clip import TextConfig, VisualConfig, build, initialize
from vocabseg.flops import Sizes, extra_share, flops

SIZES = Sizes(width=64, layers=11, mlp_width=192, embed_dim=32, patch_size=8, grid=(6, 7))
# How often torch computes q, k or v in one product with the others, or again, though the method does not need it.
UNUSED = {"maskclip": 2, "clearclip": 1, "naclip": 1, "cliptrase": 3, "scclip": 2, "resclip": 2}


def tower():
    s = SIZES
    visual = VisualConfig(s.width, s.layers, 4, s.patch_size, 6, s.embed_dim, s.mlp_width)
    return initialize(build(visual, TextConfig(64, 2, 2, 16, 600, 32, 256)), 0).visual


def counted(run) -> int:
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        run()
    return counter.get_total_flops()


@pytest.mark.parametrize("name", [name for name in methods.names() if name not in ("proxyclip", "resclip")])
def test_equals_torch(name) -> None:
    images = torch.randn(1, 3, 48, 56)
    visual, method = tower(), methods.get(name)
    found = counted(lambda: method.outputs(visual, images))
    expected = flops(name, SIZES) + UNUSED.get(name, 0) * SIZES.linear
    assert found == pytest.approx(expected, rel=1e-3)


def test_resclip_equals_torch() -> None:
    images, visual, method = torch.randn(1, 3, 48, 56), tower(), methods.get("resclip")
    first = method.outputs(visual, images)
    shared = torch.rand(1, SIZES.patches, SIZES.patches)
    found = counted(lambda: method.outputs(visual, images))
    found += counted(lambda: method.feedback(visual, SIZES.grid, first["tokens"], shared, first["attention"]))
    assert found == pytest.approx(flops("resclip", SIZES) + 2 * SIZES.linear, rel=1e-3)


def test_last_blocks_without_an_mlp_cost_less_than_vanilla() -> None:
    assert -0.06 < extra_share("clearclip") == extra_share("naclip") < extra_share("maskclip") < 0
    assert 0 < extra_share("sclip") < extra_share("cliptrase") < 0.05
    with pytest.raises(ValueError, match="no method 'none'; known: vanilla"):
        flops("none")
