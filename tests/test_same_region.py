"""The core's semantic map equals torch's, which the golden files hold to the official code."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from vocabseg import _core  # noqa: E402
from vocabseg.methods.same_region import same_region  # noqa: E402

core = _core.ops
GRIDS = [(1, 1), (1, 9), (6, 1), (2, 3), (7, 7), (7, 11), (14, 14), (21, 28)]


def blobs(grid: tuple[int, int], classes: int) -> np.ndarray:
    """Labels in patches of three by three, so that regions have neighbours and holes."""
    random = np.random.default_rng(grid[0] * 100 + grid[1])
    coarse = random.integers(0, classes, (grid[0] // 3 + 1, grid[1] // 3 + 1))
    return coarse.repeat(3, 0).repeat(3, 1)[: grid[0], : grid[1]].astype(np.int32)


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("connected", [True, False])
@pytest.mark.parametrize("strict", [True, False])
def test_equals_torch(grid, connected, strict) -> None:
    labels = blobs(grid, 4)
    expected = same_region(torch.from_numpy(labels).reshape(1, -1), grid, connected=connected, strict=strict)
    found = core.same_region(labels.ravel(), grid, connected, strict, 1)
    tolerance = 1e-5 if strict else 6e-4  # the official map is rounded to half precision
    np.testing.assert_allclose(found, expected[0].float().numpy(), rtol=0, atol=tolerance)
    np.testing.assert_array_equal(core.same_region(labels.ravel(), grid, connected, strict, 3), found)


@pytest.mark.parametrize("size, grid", [((112, 112), (7, 7)), ((117, 150), (7, 9)), ((5, 7), (5, 7))])
def test_patch_majority(size, grid) -> None:
    labels = np.random.default_rng(0).integers(0, 5, size).astype(np.uint16)
    side = (size[0] // grid[0], size[1] // grid[1])
    expected = [
        np.bincount(labels[y * side[0] : (y + 1) * side[0], x * side[1] : (x + 1) * side[1]].ravel()).argmax()
        for y in range(grid[0])
        for x in range(grid[1])
    ]
    np.testing.assert_array_equal(core.patch_majority(labels, 5, grid, 2), expected)


def test_bad_shapes() -> None:
    from vocabseg.errors import ShapeError

    with pytest.raises(ShapeError):
        core.same_region(np.zeros(5, np.int32), (2, 3), True, False, 1)
    with pytest.raises(ShapeError):
        core.same_region(np.zeros(0, np.int32), (0, 3), True, False, 1)
    with pytest.raises(ShapeError):
        core.patch_majority(np.zeros((2, 2), np.uint16), 1, (3, 3), 1)
    with pytest.raises(ShapeError):
        core.patch_majority(np.full((4, 4), 7, np.uint16), 7, (2, 2), 1)
