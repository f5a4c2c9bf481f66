"""ResCLIP's mean attention takes the layers that it is told, on models of any depth."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from export_models import small_clip, windows
from vocabseg import methods
from vocabseg.errors import ShapeError

IMAGES = windows(1, (48, 64))


def features(**parameters) -> torch.Tensor:
    visual = small_clip(layers=4).visual
    with torch.inference_mode():
        return methods.get("resclip", sfr=None, **parameters).features(visual, IMAGES)


@pytest.mark.parametrize("layers", [(5, 9), (0, 4)])
def test_layers_outside_the_model(layers) -> None:
    with pytest.raises(ShapeError, match="layers before the last are 0 to 2"):
        features(rcs_layers=layers)


def test_depth_matters_only_to_rcs() -> None:
    assert torch.isfinite(features(rcs=None)).all()


def test_layers_are_those_named() -> None:
    first, both = features(rcs_layers=(0, 1)), features(rcs_layers=(0, 3))
    assert (first - both).abs().max() > 1e-4
    torch.testing.assert_close(features(rcs=(1.0, 0.0), rcs_layers=(0, 3)), features(rcs=None))
