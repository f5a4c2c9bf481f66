from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from scipy import ndimage
from sklearn.cluster import DBSCAN

import golden_sets
from vocabseg import ops
from vocabseg.errors import BackendUnavailable, ShapeError
from vocabseg.kernels.clustering import reference

OP = "dbscan"
GOLDEN = golden_sets.named("cliptrase")


def expected_labels(rows: np.ndarray, eps: float, min_samples: int) -> np.ndarray:
    return DBSCAN(eps=eps, min_samples=min_samples).fit(rows).labels_


def heaps(seed: int, n: int, d: int, spread: float = 0.5) -> np.ndarray:
    """Points about a few centres, float32 [n, d]."""
    random = np.random.default_rng(seed)
    centres = random.normal(size=(6, d)) * 3
    return (centres[random.integers(0, 6, n)] + spread * random.normal(size=(n, d))).astype(np.float32)


def some_distance(rows: np.ndarray, share: float) -> float:
    """A value between two distances from the middle row, so that no pair of points is at it."""
    rows = rows.astype(np.float64)
    distances = np.sort(np.linalg.norm(rows - rows[len(rows) // 2], axis=1))
    rank = max(int(share * len(rows)), 1)
    return float(distances[rank - 1 : rank + 1].mean())


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_golden_clusters(op, path) -> None:
    arrays = golden_sets.load(path)
    eps, min_samples = float(arrays["eps"]), int(arrays["min_samples"])
    labels = op(arrays["affinity"], eps, min_samples)
    assert labels.dtype == np.int32
    np.testing.assert_array_equal(labels, arrays["cluster_labels"])
    if "core_idx" in arrays:
        core = reference.neighbours(arrays["affinity"], eps).sum(1) >= min_samples
        np.testing.assert_array_equal(np.flatnonzero(core), arrays["core_idx"])


@cache
def random_case(n: int, d: int) -> tuple[np.ndarray, list[tuple[float, int, np.ndarray]]]:
    """Rows, and eps, min_samples and labels of several clusterings."""
    rows = heaps(n * d, n, d)
    cases = []
    for share, min_samples in ((0.02, 1), (0.05, 3), (0.15, 7), (1, 5)):
        eps = some_distance(rows, share)
        cases.append((eps, min_samples, expected_labels(rows, eps, min_samples)))
    return rows, cases


@pytest.mark.parametrize("d", [1, 15, 16, 255, 256, 257, 700])
@pytest.mark.parametrize("n", [2, 63, 64, 65, 129, 300])
def test_equals_scikit_learn(op, n, d) -> None:
    rows, cases = random_case(n, d)
    for eps, min_samples, expected in cases:
        np.testing.assert_array_equal(op(rows, eps, min_samples), expected)


def test_borders_go_to_the_first_cluster(op) -> None:
    rows = np.array([[4], [4.25], [4.5], [3.125], [2.25], [2], [1.75]], np.float32)
    for order in (slice(None), slice(None, None, -1)):
        labels = op(rows[order], 1.0, 4)
        np.testing.assert_array_equal(labels, expected_labels(rows[order], 1.0, 4))
        assert labels[3] == 0


@pytest.mark.parametrize("scale", [1.0, 2.0**-50, 2.0**50])
def test_ties_at_eps_are_near(op, scale) -> None:
    """Whole coordinates: distances such as 5 and 13 are exact."""
    whole = np.random.default_rng(0).integers(-9, 9, (200, 2)).astype(np.float32)
    rows = whole * np.float32(scale)
    for eps in (1.0, 5.0, 13.0, float(np.nextafter(np.float32(5), 0))):
        for min_samples in (1, 2, 9):
            expected = expected_labels(whole, eps, min_samples)
            np.testing.assert_array_equal(op(rows, eps * scale, min_samples), expected)


def test_points_far_from_the_origin(op) -> None:
    """The products are 10^8 times the squared distances."""
    rows = np.random.default_rng(0).integers(0, 6, (150, 20)).astype(np.float32) + 2.0**16
    for eps in (np.sqrt(30), 6.0, 7.0):
        np.testing.assert_array_equal(op(rows, eps, 3), reference.dbscan(rows, eps, 3))
        np.testing.assert_array_equal(op(rows, eps, 3), expected_labels(rows, eps, 3))


def test_every_comparison_too_close_for_float32(op) -> None:
    rows = np.eye(130, dtype=np.float32)
    above = np.nextafter(np.float32(np.sqrt(2)), 2)
    for eps, cluster in ((float(above), 0), (float(np.nextafter(above, 0)), -1)):
        assert (expected_labels(rows, eps, 2) == cluster).all()
        assert (op(rows, eps, 2) == cluster).all()


@pytest.mark.parametrize("eps", [0.7, 1.1, 0.449, 1e-3, 17.3])
def test_eps_is_rounded_as_scikit_learn_rounds_it(op, eps) -> None:
    """Pairs of points at each float32 distance about ``eps``."""
    near = np.float32(eps) + np.arange(-4, 5) * np.spacing(np.float32(eps))
    rows = np.zeros((18, 16), np.float32)
    rows[1::2, 0] = near
    rows[np.arange(18), 1 + np.arange(18) // 2] = 100 * eps
    labels = op(rows, eps, 2)
    np.testing.assert_array_equal(labels, expected_labels(rows, eps, 2))
    assert set(labels) >= {-1, 0}


def test_huge_and_tiny_values(op) -> None:
    rows = np.array([[3e38, 0], [-3e38, 0], [0, 1e-45], [0, 0], [3e38, 1]], np.float32)
    np.testing.assert_array_equal(op(rows, 1.0, 1), [0, 1, 2, 2, 0])
    np.testing.assert_array_equal(op(rows, 1e18, 2), [0, -1, 1, 1, 0])
    tiny = np.array([[1e-18], [1.5e-18], [3.5e-18], [1e-18], [-1e-18]], np.float32)
    np.testing.assert_array_equal(op(tiny, 1e-18, 2), [0, 0, -1, 0, -1])
    np.testing.assert_array_equal(op(tiny, 3e-18, 2), [0, 0, 0, 0, 0])


def test_one_cluster_all_noise_one_row(op) -> None:
    rows = heaps(0, 50, 8)
    assert (op(rows, 1e3, 50) == 0).all()
    assert (op(rows, 1e18, 1) == 0).all()
    assert (op(rows, 1e3, 51) == -1).all()
    assert (op(rows, 1e-3, 2) == -1).all()
    assert (op(rows, 1e3, 2**40) == -1).all()
    np.testing.assert_array_equal(op(rows, 1e-3, 1), np.arange(50))
    np.testing.assert_array_equal(op(rows[:1], 0.5, 1), [0])
    np.testing.assert_array_equal(op(rows[:1], 0.5, 2), [-1])
    assert op(rows[:0], 0.5, 2).shape == (0,)


@pytest.mark.parametrize("value", [0.0, 0.1, -7e20])
def test_constant_rows(op, value) -> None:
    assert (op(np.full((140, 9), value, np.float32), 1e-6, 140) == 0).all()


def test_rows_that_are_not_finite_are_noise_and_near_to_none(op) -> None:
    rows = heaps(3, 150, 20)
    expected = np.full(150, -1)
    rows[[0, 70, 149]] = [[np.nan], [np.inf], [-np.inf]]
    rows[5, 19] = np.nan
    finite = np.isfinite(rows).all(1)
    eps = some_distance(rows[finite], 0.1)
    expected[finite] = expected_labels(rows[finite], eps, 4)
    np.testing.assert_array_equal(op(rows, eps, 4), expected)
    assert (op(np.full((4, 2), np.nan, np.float32), 1.0, 1) == -1).all()


def test_other_dtypes_and_views(op) -> None:
    rows = heaps(1, 90, 12)
    eps = some_distance(rows, 0.1)
    expected = op(rows, eps, 3)
    np.testing.assert_array_equal(op(rows.astype(np.float64), eps, 3), expected)
    np.testing.assert_array_equal(op(np.asfortranarray(rows), eps, 3), expected)
    np.testing.assert_array_equal(op(rows[:, ::-1], eps, 3), expected)
    halves = rows.astype(np.float16)
    np.testing.assert_array_equal(op(halves, eps, 3), op(halves.astype(np.float32), eps, 3))


def test_same_for_any_thread_count(op) -> None:
    rows = heaps(2, 400, 30)
    eps = some_distance(rows, 0.1)
    expected = op(rows, eps, 3, threads=1)
    for threads in (2, 3):
        np.testing.assert_array_equal(op(rows, eps, 3, threads=threads), expected)


@pytest.mark.parametrize(
    ("shape", "eps", "min_samples"),
    [
        ((3, 0), 1, 1),
        ((3,), 1, 1),
        ((2, 2, 2), 1, 1),
        ((3, 2), 0, 1),
        ((3, 2), -1, 1),
        ((3, 2), np.nan, 1),
        ((3, 2), np.inf, 1),
        ((3, 2), 1e-19, 1),
        ((3, 2), 1e19, 1),
        ((3, 2), 1, 0),
        ((1 << 16, 1), 1, 1),
    ],
)
def test_bad_arguments(op, shape, eps, min_samples) -> None:
    with pytest.raises(ShapeError):
        op(np.zeros(shape, np.float32), eps, min_samples)


def test_integers_are_refused(op) -> None:
    with pytest.raises(ShapeError, match="int64"):
        op(np.zeros((3, 2), np.int64), 1, 1)


maps = pytest.mark.op("cluster_maps")


def expected_maps(affinity, labels, grid, factor: int = 4, median: int = 7) -> np.ndarray:
    """With torch's rule of up-sampling, by the reference's resize, and scipy's filter."""
    means = reference.cluster_means(affinity, labels, labels.max() + 1).reshape(-1, *grid)
    large = reference.resize(means, (grid[0] * factor, grid[1] * factor))
    return np.stack([ndimage.median_filter(pixels, median, mode="reflect") for pixels in large])


def affinity_and_labels(grid: tuple[int, int], clusters: int = 4) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(grid[0] * 100 + grid[1])
    patches = grid[0] * grid[1]
    labels = random.integers(-1, clusters, patches)
    labels[-1] = clusters - 1 if patches > 1 else 0
    return random.normal(size=(patches, patches)).astype(np.float32), labels


@maps
@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_golden_maps(op, path) -> None:
    arrays = golden_sets.load(path)
    if "cluster_maps" not in arrays:
        return
    grid = arrays["cluster_maps"].shape[1:]
    for settings, name in (({"factor": 1, "median": 1}, "cluster_maps"), ({}, "cluster_maps_median")):
        found = op(arrays["affinity"], arrays["cluster_labels"], grid, **settings)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, arrays[name], rtol=0, atol=1e-6)


@maps
@pytest.mark.parametrize("grid", [(1, 1), (1, 9), (8, 1), (2, 3), (5, 7), (9, 16)])
def test_equals_the_textbook(op, grid) -> None:
    affinity, labels = affinity_and_labels(grid)
    for factor, median in ((4, 7), (1, 3), (3, 5), (2, 1), (4, 9), (5, 15), (1, 15)):
        found = op(affinity, labels, grid, factor=factor, median=median)
        expected = expected_maps(affinity, labels, grid, factor, median)
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)


@maps
@pytest.mark.parametrize("median", range(1, 32, 2))
def test_the_median_is_one_of_the_values(op, median) -> None:
    """Exact: a map of whole numbers, with many ties, keeps them."""
    grid = (6, 23)
    values = np.random.default_rng(median).integers(0, 20, grid[0] * grid[1]).astype(np.float32)
    affinity = np.broadcast_to(values, (values.size, values.size))
    labels = np.zeros(values.size, int)
    found = op(affinity, labels, grid, factor=1, median=median)
    expected = ndimage.median_filter(values.reshape(grid), median, mode="reflect")
    np.testing.assert_array_equal(found[0], expected)


@maps
def test_no_clusters(op) -> None:
    affinity, labels = affinity_and_labels((3, 5))
    assert op(affinity, np.full(15, -1), (3, 5)).shape == (0, 12, 20)
    labels[labels == 1] = -7
    found = op(affinity, labels, (3, 5))
    assert len(found) == 4
    assert (found[1] == 0).all()


@maps
def test_nan_counts_as_infinity(op) -> None:
    affinity = np.ones((36, 36), np.float32)
    affinity[:, 0] = np.nan  # reaches 6 x 6 pixels of the corner
    labels = np.zeros(36, np.int32)
    found = op(affinity, labels, (6, 6))[0]
    assert (found[:4, :4] == np.inf).all()
    assert (found[8:] == 1).all()
    assert not np.isnan(found).any()
    affinity[1] = np.nan  # a row of no cluster
    labels[1] = -1
    np.testing.assert_array_equal(op(affinity, labels, (6, 6))[0], found)


@maps
def test_maps_for_any_thread_count_and_view(op) -> None:
    affinity, labels = affinity_and_labels((5, 7))
    expected = op(affinity, labels, (5, 7), threads=1)
    for threads in (2, 3, 7):
        np.testing.assert_array_equal(op(affinity, labels, (5, 7), threads=threads), expected)
    np.testing.assert_array_equal(op(np.asfortranarray(affinity), labels, (5, 7)), expected)
    np.testing.assert_array_equal(op(affinity.astype(np.float64), labels.astype(np.int8), (5, 7)), expected)


@maps
@pytest.mark.parametrize(
    ("affinity", "labels", "grid", "settings"),
    [
        ((6, 6), 6, (2, 4), {}),
        ((6, 5), 6, (2, 3), {}),
        ((5, 6), 6, (2, 3), {}),
        ((6, 6), 5, (2, 3), {}),
        ((6, 6, 1), 6, (2, 3), {}),
        ((0, 0), 0, (0, 3), {}),
        ((6, 6), 6, (-2, -3), {}),
        ((6, 6), 6, (2, 3), {"factor": 0}),
        ((6, 6), 6, (2, 3), {"factor": 1 << 14}),
        ((6, 6), 6, (2, 3), {"median": 0}),
        ((6, 6), 6, (2, 3), {"median": 4}),
        ((6, 6), 6, (2, 3), {"median": 33}),
    ],
)
def test_bad_maps(op, affinity, labels, grid, settings) -> None:
    with pytest.raises(ShapeError):
        op(np.zeros(affinity, np.float32), np.zeros(labels, int), grid, **settings)


@maps
def test_labels_out_of_range(op) -> None:
    for labels in (np.full(6, 6), np.zeros(6, np.float32), np.full(6, 2**40)):
        with pytest.raises(ShapeError):
            op(np.zeros((6, 6), np.float32), labels, (2, 3))


def test_tensors_in_tensors_out() -> None:
    torch = pytest.importorskip("torch")
    affinity, _ = affinity_and_labels((3, 5))
    eps = some_distance(affinity, 0.5)
    labels = ops.dbscan(torch.from_numpy(affinity), eps, 2)
    assert labels.dtype == torch.int32
    found = ops.cluster_maps(torch.from_numpy(affinity), labels, (3, 5))
    assert isinstance(found, torch.Tensor)
    np.testing.assert_array_equal(found.numpy(), ops.cluster_maps(affinity, labels.numpy(), (3, 5)))


def test_no_such_implementation() -> None:
    with pytest.raises(BackendUnavailable, match="clustering/cpu"):
        ops.dbscan(np.zeros((3, 2), np.float32), 1, 1, impl="clustering/gpu")
