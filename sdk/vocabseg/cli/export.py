"""``vocabseg export``: a CLIP model and a method of the literature to a bundle."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from ..errors import BackendUnavailable, ShapeError, VocabsegError
from ..export.command import recorded
from . import parameters, presets, terminal
from .verify import parity_table

_EPILOG = """examples:
  vocabseg export ViT-B-16 --pretrained openai --method sclip --out bundle/
  vocabseg export ViT-B-16 --pretrained weights.safetensors --method naclip --set std=5 --out bundle/
  vocabseg export ViT-B-16 --pretrained openai --method scclip --preset context60 --out bundle/
  vocabseg export ViT-L-14-336 --pretrained none --whole 336x448 --precision float32 bfloat16 --out bundle/"""


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser("export", help="make a bundle from a CLIP model", epilog=_EPILOG)
    parser.add_argument(
        "model", metavar="MODEL", help="a ViT of open_clip, such as ViT-B-16; any name for a file"
    )
    parser.add_argument("--out", required=True, metavar="FOLDER", help="the bundle to make")
    parser.add_argument("--force", action="store_true", help="replace a bundle that is there")
    parser.add_argument("--name", help="the bundle's name")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    _add_options(parser)


def _add_options(parser: argparse.ArgumentParser) -> None:
    """What decides what a bundle is, beside the model's name."""
    _add_model(parser.add_argument_group("model"))
    _add_method(parser.add_argument_group("method"))
    _add_window(parser.add_argument_group("window"))
    _add_content(parser.add_argument_group("content"))


def _defaults() -> dict[str, Any]:
    parser = argparse.ArgumentParser()
    _add_options(parser)
    return vars(parser.parse_args([]))


def _add_model(group: Any) -> None:
    group.add_argument(
        "--pretrained",
        default="openai",
        metavar="WEIGHTS",
        help="a tag of open_clip (openai by default), a .safetensors or .pt file, or none for random weights",
    )
    group.add_argument(
        "--activation", choices=("quick_gelu", "gelu"), help="overrides what the weights were trained with"
    )
    group.add_argument("--heads", type=int, help="attention heads of a file's vision tower")
    group.add_argument("--text-heads", type=int, help="attention heads of a file's text tower")
    group.add_argument("--merges", metavar="FILE", help="byte-pair merges, where they are not OpenAI's")
    group.add_argument("--licence", help="of the weights, for the manifest")
    group.add_argument("--seed", type=int, default=0, help="of random weights")


def _add_method(group: Any) -> None:
    group.add_argument(
        "--method", default="sclip", metavar="NAME", help="sclip by default; see: vocabseg methods"
    )
    group.add_argument(
        "--preset",
        metavar="NAME",
        help="settings of the authors for a data set; options given here win; see: vocabseg methods NAME",
    )
    group.add_argument(
        "--set",
        nargs="+",
        action="extend",
        default=[],
        metavar="KEY=VALUE",
        help="parameters of the method: std=5, multi=3,10, sfr=none",
    )
    group.add_argument("--logit-scale", type=float, metavar="X", help="of the cosines before the softmax")
    group.add_argument("--threshold", type=float, metavar="P", help="least probability of a label (0)")
    group.add_argument(
        "--area-threshold", type=float, metavar="SHARE", help="drop classes with a smaller share"
    )
    group.add_argument("--pamr", type=int, metavar="STEPS", help="refine with PAMR; 0: do not")


def _add_window(group: Any) -> None:
    group.add_argument("--crop", type=int, metavar="PX", help="side of sliding windows (224)")
    group.add_argument("--stride", type=int, metavar="PX", help="between windows (half of --crop)")
    group.add_argument("--short-side", type=int, metavar="PX", help="of the resized frame (336)")
    group.add_argument("--whole", metavar="HxW", help="the whole frame at one size instead")
    group.add_argument("--resize", choices=("bilinear", "bicubic"), help="of the frame (bilinear)")


def _add_content(group: Any) -> None:
    group.add_argument(
        "--precision",
        nargs="+",
        default=["float32"],
        choices=("float32", "bfloat16", "float16"),
        help="graphs to write; float32 always is",
    )
    group.add_argument(
        "--weights",
        choices=("float32", "float16"),
        default="float32",
        help="float16 rounds matrices and halves files",
    )
    group.add_argument(
        "--templates", default="openai80", metavar="SET", help="default template set (openai80)"
    )
    group.add_argument(
        "--vocabulary", metavar="WORDS", help='default words: a file, a class list, or "road; car, truck"'
    )


def run(args: argparse.Namespace) -> int:
    exporter = _load_exporter()
    options = recorded(
        vars(args), {"model": None, "name": None, **_defaults()}
    )  # before a preset fills in others
    presets.apply(args)
    _method(args)  # what is wrong with it is said before a model is loaded
    window = _window(args)
    settings = exporter["Settings"](
        name=args.name,
        precisions=args.precision,
        weights=args.weights,
        templates=args.templates,
        vocabulary=args.vocabulary,
        merges=args.merges,
        licence=args.licence,
        logit_scale=args.logit_scale,
        threshold=args.threshold or 0.0,
        area_threshold=args.area_threshold,
        pamr_steps=args.pamr or None,
        options=options,
    )
    exporter["check_target"](args.out, args.force)
    source = exporter["load"](
        args.model, args.pretrained, args.activation, args.heads, args.text_heads, args.seed
    )
    method = _method(args, source.visual.config.layers)
    step = (lambda text: None) if args.json or args.quiet else (lambda text: print(text, file=sys.stderr))
    results = exporter["export_bundle"](source, method, window, args.out, settings, args.force, step)
    if args.json:
        terminal.print_json({"bundle": args.out, "parity": [result.document() for result in results]})
    else:
        print(f"{parity_table(results)}\n\nwrote {args.out}")
    return 0


def _load_exporter() -> dict[str, Any]:
    """What needs the extra ``export``. Raises `BackendUnavailable` where that is not installed."""
    try:
        from ..bundle import check_target
        from ..export.build import export_bundle
        from ..export.describe import Settings
        from ..export.source import load
    except ModuleNotFoundError as error:
        raise BackendUnavailable(
            f"export needs {error.name}, which is not installed; run: pip install 'vocabseg[export]'"
        ) from error
    return {"check_target": check_target, "Settings": Settings, "export_bundle": export_bundle, "load": load}


def _method(args: argparse.Namespace, layers: int = 12) -> Any:
    from .. import methods

    try:
        given = parameters.parse(args.method, args.set)
        return methods.get(args.method, **{**presets.parameters(args, layers), **given})
    except (TypeError, ValueError) as error:
        raise VocabsegError(str(error)) from error


def _window(args: argparse.Namespace) -> Any:
    from ..export import window

    resize = args.resize or "bilinear"
    if args.whole is None:
        return window.sliding(
            224 if args.crop is None else args.crop,
            args.stride,
            336 if args.short_side is None else args.short_side,
            resize,
        )
    if not args.crop is args.stride is args.short_side is None:
        raise ShapeError("--whole is one fixed size; leave --crop, --stride and --short-side out")
    height, x, width = args.whole.lower().partition("x")
    if not (x and height.isdecimal() and width.isdecimal()):
        raise ShapeError(f"--whole {args.whole!r} is not a size such as 336x448 (height x width)")
    return window.whole(int(height), int(width), resize)
