"""``vocabseg export --preset`` and ``--set``: what is set, and what the command line overrides."""

from __future__ import annotations

from pathlib import Path

import pytest
from safetensors.torch import save_file

from export_models import small_clip
from vocabseg import cli
from vocabseg.bundle import read_manifest
from vocabseg.cli import export as export_command
from vocabseg.cli import main, parameters
from vocabseg.cli import presets as preset_options
from vocabseg.errors import VocabsegError
from vocabseg.methods import presets


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A vision tower of twelve small layers."""
    path = tmp_path_factory.mktemp("weights") / "deep.safetensors"
    state = small_clip(layers=12).state_dict()
    save_file({k: v.contiguous() for k, v in state.items() if k.startswith("visual.")}, path)
    return path


def command(weights: Path | str, out: Path | str, *more: str) -> list[str]:
    return ["export", "deep", "--pretrained", str(weights), "--heads", "12", "--out", str(out), *more]


def options(*more: str):
    return cli._parse(command("none", "out", *more))


def test_preset_reaches_the_manifest(weights: Path, tmp_path: Path) -> None:
    more = ["--method", "scclip", "--preset", "context60", "--set", "beta=.5", "--logit-scale", "45"]
    assert main(command(weights, tmp_path / "b", *more)) == 0
    manifest = read_manifest(tmp_path / "b")
    expected = {"pre": 8, "post": 3, "multi": [3, 10], "res_cls": 0.3, "beta": 0.5}
    assert manifest["method"] == {"name": "scclip", "parameters": expected}
    window = manifest["window"]
    assert (window["height"], window["stride"], window["short_side"]) == (224, [112, 112], 336)
    assert manifest["threshold"] == 0.15
    assert manifest["logit_scale"] == 45.0
    assert manifest["post_steps"] == []


@pytest.mark.parametrize("method", presets.PRESETS)
def test_every_preset_fills_the_options(method: str) -> None:
    for name, preset in presets.PRESETS[method].items():
        args = options("--method", method, "--preset", name)
        preset_options.apply(args)
        assert (args.logit_scale, args.threshold, args.pamr) == (
            preset.logit_scale,
            preset.threshold,
            preset.pamr,
        )
        window = export_command._window(args)
        assert window.size == (preset.whole or (preset.crop, preset.crop))
        assert window.resize == preset.resize
        assert export_command._method(args).name == method


def test_options_win() -> None:
    more = ["--crop", "112", "--threshold", "0", "--pamr", "0", "--set", "std=3"]
    args = options("--method", "naclip", "--preset", "context60", *more)
    preset_options.apply(args)
    window = export_command._window(args)
    assert (window.size, window.stride, window.short_side) == ((112, 112), (56, 56), 336)
    assert (args.threshold, args.pamr, args.logit_scale) == (0.0, 0, 40.0)
    assert export_command._method(args).std == 3.0  # type: ignore[attr-defined]
    args = options("--method", "naclip", "--preset", "voc21", "--short-side", "448")
    preset_options.apply(args)
    assert export_command._window(args).mode == "slide"


def test_layers_of_a_large_model() -> None:
    args = options("--method", "scclip", "--preset", "voc20", "--set", "post=5")
    method = export_command._method(args, layers=24)
    assert (method.pre, method.post, method.multi, method.res_cls) == (16, 5, (8, 19), 0.1)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--method", "scclip", "--preset", "nope"], "no preset 'nope'; it has: voc21, voc20, context60"),
        (["--method", "vanilla", "--preset", "voc20"], "it has: none"),
        (["--method", "scclip", "--set", "multi=3"], "takes an integer,an integer for multi"),
        (["--method", "scclip", "--set", "pre=none"], "takes an integer for pre"),
        (["--method", "scclip", "--set", "pre=1.5"], "takes an integer for pre"),
        (["--method", "resclip", "--set", "rcs=yes"], "takes a number,a number or none for rcs"),
        (["--method", "resclip", "--set", "connected=1"], "takes true or false for connected"),
        (["--method", "maskclip", "--set", "head=big"], "takes official or identity for head"),
        (["--method", "proxyclip", "--set", "backbone=dino"], "takes nothing on the command line"),
        (["--method", "naclip", "--set", "std=nan"], "takes a number or none for std"),
    ],
)
def test_what_is_wrong_is_said_first(more: list[str], message: str, tmp_path: Path, capsys) -> None:  # type: ignore[no-untyped-def]
    assert main(command("missing.safetensors", tmp_path / "b", *more)) == 1
    assert message in capsys.readouterr().err


def test_values_have_the_types_of_the_parameters() -> None:
    pairs = ["rcs=none", "sfr=2,.5", "std=3", "connected=False", "base=sclip", "rcs_layers=2,4"]
    values = parameters.parse("resclip", pairs)
    expected = {"rcs": None, "sfr": (2.0, 0.5), "std": 3.0, "connected": False, "base": "sclip"}
    assert values == {**expected, "rcs_layers": (2, 4)}
    assert [type(value) for value in (*values["sfr"], values["std"])] == [float] * 3
    assert [type(value) for value in values["rcs_layers"]] == [int] * 2
    assert parameters.parse("cliptrase", ["min_samples=7", "eps=1.1"]) == {"min_samples": 7, "eps": 1.1}
    with pytest.raises(VocabsegError, match="key=value"):
        parameters.parse("sclip", ["residual"])
