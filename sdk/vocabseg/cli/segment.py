"""``vocabseg segment``: pictures and words in, label maps out."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ImageError
from . import engine, terminal
from .display import Display
from .outputs import STDOUT, Outputs
from .sources import IMAGES, STDIN, VIDEOS, Picture, Source, expand, sample

if TYPE_CHECKING:
    from ..results import Segmentation
    from ..segmenter import Segmenter

_EPILOG = """\
WORDS is one argument, "road; car, truck, van; background: sky": ';' between
classes, ',' between synonyms, 'background:' before what counts as unlabelled.
It may also be a text file with one class a line, a stored vocabulary
(.safetensors) or the name of a class list (see: vocabseg vocab lists). Without
it the bundle's own words are used. The last argument is taken as WORDS unless
it is a picture, folder or video; --words WORDS makes it plain.
"""


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "segment",
        help="label every pixel of pictures, folders or videos",
        usage="vocabseg segment [options] (IMAGE... | --sample) [WORDS]",
        epilog=_EPILOG,
    )
    parser.add_argument(
        "inputs", nargs="*", metavar="IMAGE", help="picture, folder or video; - for standard input"
    )
    parser.add_argument("--words", metavar="WORDS", help="the words, when they are not the last argument")
    parser.add_argument("--sample", action="store_true", help="segment the picture that comes with vocabseg")
    parser.add_argument(
        "--out", metavar="PNG", help="write labels as indexed PNG (- for stdout; a folder for several)"
    )
    parser.add_argument(
        "--overlay", metavar="FILE", help="write the labels over the picture (a folder for several)"
    )
    parser.add_argument("--scores", metavar="NPY", help="write float32 probabilities (a folder for several)")
    parser.add_argument(
        "--sidecar", action="store_true", help="with --out: names, colours and areas as .json beside it"
    )
    parser.add_argument("--no-legend", action="store_true", help="with --overlay: the picture alone")
    parser.add_argument(
        "--templates", metavar="SET", help="template set by name, or a file with one sentence a line"
    )
    parser.add_argument(
        "--threshold", type=_probability, help="leave pixels unlabelled below this probability"
    )
    engine.add_options(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON document instead of tables")
    parser.set_defaults(parser=parser)


def run(args: argparse.Namespace) -> int:
    paths, words = _split_inputs(args)
    sources = expand(paths)
    outputs = _outputs(args, sources)
    segmenter = _load(args, words)
    show = Display(args, segmenter, sources)
    entries: list[dict[str, Any]] = []
    failed = False
    try:
        for picture, result in _results(args, segmenter, sources):
            if isinstance(result, ImageError):
                failed = True
                show.error(result)
                entries.append({"image": picture.title, "error": str(result)})
                continue
            written = outputs.write(picture, result)
            show.result(picture, result, written)
            if args.json:
                entries.append({"image": picture.title, **result.to_json(), "written": written})
    finally:
        show.close()
    if args.json:
        reason = segmenter.backend_reason
        terminal.print_json(
            {"bundle": str(args.bundle), "backend": segmenter.backend, "reason": reason, "images": entries}
        )
    return 1 if failed else 0


def _split_inputs(args: argparse.Namespace) -> tuple[list[str], str | None]:
    """``(pictures, words)``; the sample stands first where it was asked for."""
    paths, words = list(args.inputs), args.words
    if words is None and paths and not _is_picture(paths[-1]):
        words = paths.pop()
    if args.sample:
        paths.insert(0, sample())
    if not paths:
        args.parser.error("no picture given; name one, or use --sample")
    return paths, words


def _is_picture(argument: str) -> bool:
    looks_like_one = Path(argument).suffix.lower() in IMAGES | VIDEOS and ";" not in argument
    exists = Path(argument).is_dir() or (
        Path(argument).is_file() and Path(argument).suffix not in (".txt", ".safetensors")
    )
    return argument == STDIN or looks_like_one or exists


def _outputs(args: argparse.Namespace, sources: list[Source]) -> Outputs:
    several = len(sources) > 1 or sources[0].is_video
    targets = [target for target in (args.out, args.overlay, args.scores) if target]
    files = [target for target in targets if not Path(target).is_dir()]
    if several and any(Path(target).suffix for target in files):
        args.parser.error("with several pictures or a video, --out, --overlay and --scores are folders")
    if args.out == STDOUT and (several or args.json):
        args.parser.error("--out - takes a single picture and no --json")
    if not several and len(set(files)) < len(files):
        args.parser.error("--out, --overlay and --scores must be different files")
    inputs = frozenset(Path(source.path).resolve() for source in sources if source.path != STDIN)
    return Outputs(args.out, args.overlay, args.scores, several, args.sidecar, not args.no_legend, inputs)


def _load(args: argparse.Namespace, words: str | None) -> Segmenter:
    segmenter = engine.load(args)
    if words is not None:
        segmenter.set_vocabulary(words, args.templates)
    elif segmenter.vocabulary is None:
        args.parser.error(
            'the bundle has no words of its own; give some, for example: "road; car, truck, van; sky"'
        )
    elif args.templates:
        segmenter.set_vocabulary(segmenter.vocabulary, args.templates)
    return segmenter


def _results(
    args: argparse.Namespace, segmenter: Segmenter, sources: list[Source]
) -> Iterator[tuple[Picture, Segmentation | ImageError]]:
    """One result per picture. Among several, one that cannot be read is reported and the others go on."""
    for source in sources:
        for picture in source.pictures():
            try:
                result: Segmentation | ImageError = segmenter(picture.image, threshold=args.threshold)
            except ImageError as error:
                if len(sources) == 1:
                    raise
                result = error
            yield picture, result


def _probability(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"must be between 0 and 1, got {value}")
    return value
