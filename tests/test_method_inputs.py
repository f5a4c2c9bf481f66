"""Bad and degenerate input to the methods: a documented result or one clear error, and no NaN out of finite pictures."""

from __future__ import annotations

import numpy as np
import pytest

import golden_sets

torch = pytest.importorskip("torch")

from vocabseg import clip, methods, ops  # noqa: E402
from vocabseg.clip.config import TextConfig, VisualConfig  # noqa: E402
from vocabseg.errors import ShapeError  # noqa: E402
from vocabseg.methods import scclip  # noqa: E402

NAMES = methods.names()
TEXT = torch.nn.functional.normalize(torch.randn(3, 64, generator=torch.Generator().manual_seed(0)), dim=-1)
GRIDS = [(1, 1), (1, 9), (9, 1), (2, 3), (1, 40), (6, 6), (5, 9)]


def tower(layers: int | None = None):
    if layers is None:
        return clip.load_visual(golden_sets.weights())
    config = VisualConfig(32, layers, 2, 16, 7, 64, 64, "quick_gelu")
    return clip.initialize(
        clip.build(config, TextConfig(32, 1, 1, 8, 520, 64, 32, "quick_gelu"))
    ).visual.eval()


def method(name: str):
    return methods.get(name, backbone=coarse) if name == "proxyclip" else methods.get(name)


def coarse(images):
    """A backbone: mean colours of 8 x 8 pixels."""
    return torch.nn.functional.avg_pool2d(images, 8)


def pictures(*shape: int):
    return torch.randn(shape, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("grid", GRIDS, ids=str)
@pytest.mark.parametrize("name", NAMES)
def test_every_grid(name, grid) -> None:
    images = pictures(2, 3, 16 * grid[0], 16 * grid[1])
    if name == "scclip" and grid[0] * grid[1] < 31:
        with pytest.raises(ShapeError, match=f"more than 30 patches.*{grid[0]} x {grid[1]}"):
            clip.dense_features(tower(), name, images, TEXT)
        return
    features = clip.dense_features(tower(), method(name), images, TEXT)
    assert torch.isfinite(features).all()


@pytest.mark.parametrize("value", [-2.0, 0.0, 3.0])
@pytest.mark.parametrize("name", NAMES)
def test_constant_pictures(name, value) -> None:
    images = torch.full((1, 3, 112, 112), value)
    assert torch.isfinite(clip.dense_features(tower(), method(name), images, TEXT)).all()


@pytest.mark.parametrize("name", NAMES)
def test_equal_patches(name) -> None:
    """Without position embeddings all patches of a constant picture are one point."""
    visual = tower()
    visual.positional_embedding.data.zero_()
    features = clip.dense_features(visual, method(name), torch.full((1, 3, 112, 112), 0.5), TEXT)
    assert torch.isfinite(features).all()


@pytest.mark.parametrize("name", NAMES)
def test_extreme_pictures(name) -> None:
    for scale in (1e-6, 1e4):
        images = scale * pictures(1, 3, 112, 112)
        assert torch.isfinite(clip.dense_features(tower(), method(name), images, TEXT)).all()


@pytest.mark.parametrize("name", NAMES)
def test_nan_stays_in_its_picture(name) -> None:
    images = pictures(2, 3, 112, 112)
    expected = clip.dense_features(tower(), method(name), images[1:], TEXT)
    images[0, 0, 5, 5] = torch.nan
    features = clip.dense_features(tower(), method(name), images, TEXT)
    assert features[0].isnan().any()
    torch.testing.assert_close(features[1:], expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize("queries", [1, 2])
@pytest.mark.parametrize("strict", [False, True])
def test_few_words(queries, strict) -> None:
    images = pictures(1, 3, 112, 112)
    features = clip.dense_features(
        tower(), methods.get("resclip", strict_paper=strict), images, TEXT[:queries]
    )
    assert torch.isfinite(features).all()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shape", [(3, 32, 32), (1, 1, 32, 32), (1, 3, 15, 32), (0, 3, 32, 32)], ids=str)
def test_images_of_another_shape(name, shape) -> None:
    with pytest.raises(ShapeError, match=r"expected \[B, 3, H, W\], sides of at least 16"):
        clip.dense_features(tower(), method(name), torch.zeros(shape), TEXT)


@pytest.mark.parametrize("shape", [(64,), (3, 63), (0, 64)], ids=str)
def test_text_of_another_shape(shape) -> None:
    with pytest.raises(ShapeError, match=r"\[Q, 64\]"):
        clip.dense_features(tower(), "resclip", pictures(1, 3, 32, 32), torch.zeros(shape))


@pytest.mark.parametrize("layers", [1, 2, 9])
@pytest.mark.parametrize(
    ("name", "needs"), [("cliptrase", 2), ("resclip", 10), ("scclip", 11)], ids=lambda value: str(value)
)
def test_too_few_layers(name, needs, layers) -> None:
    images = pictures(1, 3, 112, 112)
    if layers >= needs:
        assert torch.isfinite(clip.dense_features(tower(layers), name, images, TEXT)).all()
        return
    with pytest.raises(ShapeError, match="model"):
        clip.dense_features(tower(layers), name, images, TEXT)


BAD = [
    ("maskclip", {"head": "identy"}, "head is 'identy', expected one of official, identity"),
    ("naclip", {"std": 0}, "std is 0, expected a positive number"),
    ("naclip", {"std": float("nan")}, "std"),
    ("naclip", {"residual": "no"}, "residual is 'no', expected True or False"),
    ("cliptrase", {"eps": -0.7}, "eps is -0.7"),
    ("cliptrase", {"eps": float("inf")}, "eps"),
    ("cliptrase", {"min_samples": 0}, "min_samples is 0, expected a whole number of at least 1"),
    ("cliptrase", {"min_samples": 2.5}, "min_samples"),
    ("resclip", {"base": "foo"}, "base is 'foo', expected one of vanilla, sclip, clearclip, naclip"),
    ("resclip", {"rcs": (2.0, 0.6, 1.0)}, "rcs"),
    ("resclip", {"rcs": 2.0}, "rcs"),
    ("resclip", {"rcs_layers": (2, 2)}, "rcs_layers"),
    ("resclip", {"rcs_layers": (-1, 2)}, "rcs_layers"),
    ("resclip", {"rcs_layers": (0.5, 2)}, "rcs_layers"),
    ("resclip", {"rcs": "2.0,0.6"}, "rcs"),
    ("resclip", {"sfr": (2.0, 1.6)}, "sfr"),
    ("resclip", {"sfr": (-2.0, 0.6)}, "sfr"),
    ("resclip", {"sfr": (float("nan"), 0.6)}, "sfr"),
    ("resclip", {"temp_thd": 1.5}, "temp_thd"),
    ("resclip", {"std": -5.0}, "std"),
    ("resclip", {"logit_scale": 0}, "logit_scale"),
    ("resclip", {"strict_paper": 1}, "strict_paper"),
    ("scclip", {"pre": -1}, "pre"),
    ("scclip", {"post": 3.5}, "post"),
    ("scclip", {"multi": (5, 5)}, "multi"),
    ("scclip", {"multi": (3,)}, "multi"),
    ("scclip", {"res_cls": None}, "res_cls"),
    ("scclip", {"beta": 1.0}, "beta"),
    ("proxyclip", {"gamma": 0.0}, "gamma"),
    ("proxyclip", {"backbone": "dino"}, "backbone"),
    ("sclip", {"eps": 1.0}, "no parameter 'eps'"),
]


@pytest.mark.parametrize(("name", "parameters", "message"), BAD, ids=str)
def test_parameters_out_of_range(name, parameters, message) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        methods.get(name, **parameters)
    assert name in str(caught.value)


def test_numbers_as_files_and_command_lines_have_them() -> None:
    assert methods.get("cliptrase", min_samples=3.0).min_samples == 3
    assert methods.get("scclip", pre=8.0, multi=[3.0, 10.0]) == methods.get("scclip")
    assert methods.get("resclip", rcs=[2, 0.6]) == methods.get("resclip")


def test_a_backbone_of_another_shape() -> None:
    flat = methods.get("proxyclip", backbone=lambda images: images.flatten(1))
    with pytest.raises(ShapeError, match=r"the backbone made \[1, 3072\]"):
        clip.dense_features(tower(), flat, pictures(1, 3, 32, 32))


def test_clusters_of_degenerate_affinities() -> None:
    apart = np.eye(30, dtype=np.float32)  # all noise: every two rows are √2 apart
    assert (ops.dbscan(apart, 0.7, 3) == -1).all()
    assert ops.cluster_maps(apart, np.full(30, -1), (5, 6)).shape == (0, 20, 24)
    equal = np.full((30, 30), 0.2, np.float32)
    assert (ops.dbscan(equal, 0.7, 3) == 0).all()
    assert (ops.dbscan(equal, 0.7, 31) == -1).all()
    np.testing.assert_allclose(ops.cluster_maps(equal, np.zeros(30, int), (1, 30)), 0.2, rtol=1e-6)


@pytest.mark.parametrize("name", ["scclip", "cliptrase", "resclip"])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_graphs(name, precision) -> None:
    """Constant, extreme and NaN windows in OpenVINO."""
    pytest.importorskip("openvino")
    from openvino_graph import compile_graph
    from vocabseg.export.trace import trace_image

    visual, size = tower(), (96, 96)
    network = compile_graph(trace_image(visual, methods.get(name), size, precision))
    for value in (0.0, 1e4):
        windows = np.full((1, 3, *size), value, np.float32)
        assert all(np.isfinite(output).all() for output in network([windows]).values())
    windows = np.concatenate([np.full((1, 3, *size), np.nan, np.float32), pictures(1, 3, *size).numpy()])
    assert np.isfinite(network([windows])[0][1]).all()


def test_every_patch_of_scclip_attends_to_something() -> None:
    """Patches of one direction: cosines are 1 but for rounding, so that whole rows lie under the mean."""
    generator = torch.Generator().manual_seed(0)
    for _ in range(20):
        direction, length = torch.randn(1, 64, generator=generator), torch.rand(49, 1, generator=generator)
        similarity = scclip.cosines((direction * (length + 0.5))[None])
        assert torch.isfinite(scclip.similarity_bias(similarity).softmax(-1)).all()
