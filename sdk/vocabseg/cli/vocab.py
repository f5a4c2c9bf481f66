"""``vocabseg vocab``: stored vocabularies, class lists, template sets and the cache of text embeddings."""

from __future__ import annotations

import argparse
from typing import Any

from . import engine, terminal


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser("vocab", help="build, show and list vocabularies; look after their cache")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")

    build = actions.add_parser(
        "build", help="embed words with a bundle's text tower, for devices without one"
    )
    build.add_argument(
        "words", metavar="WORDS", help='"road; car, truck", a text file, or the name of a class list'
    )
    build.add_argument("--out", required=True, metavar="FILE", help="the .safetensors file to write")
    engine.add_options(build)
    build.add_argument(
        "--templates", metavar="SET", help="template set by name, or a file with one sentence a line"
    )

    show = actions.add_parser("show", help="tell what a vocabulary holds")
    show.add_argument(
        "words", metavar="VOCABULARY", help="a .safetensors or text file, words, or a class list's name"
    )

    lists = actions.add_parser("lists", help="name the class lists and template sets that come with vocabseg")

    cache = actions.add_parser("cache", help="show or empty the cache of text embeddings")
    cache.add_argument("operation", choices=("info", "prune"), nargs="?", default="info")
    cache.add_argument(
        "--older-than", type=float, default=0.0, metavar="DAYS", help="prune: keep what is newer"
    )

    for action, run_action in ((build, _build), (show, _show), (lists, _lists), (cache, _cache)):
        action.add_argument("--json", action="store_true", help="print one JSON document")
        action.set_defaults(run_action=run_action)


def run(args: argparse.Namespace) -> int:
    args.run_action(args)
    return 0


def _build(args: argparse.Namespace) -> None:
    from ..vocabulary import Vocabulary

    Vocabulary.check_stored_path(args.out)
    segmenter = engine.load(args)
    vocabulary = segmenter.embed(args.words, args.templates)
    path = vocabulary.save(args.out)
    if args.json:
        terminal.print_json({"file": str(path), **_description(vocabulary)})
    else:
        print(
            f"wrote {args.out}: {len(vocabulary)} classes, {len(vocabulary.queries)} words, "
            f"{path.stat().st_size:,} bytes"
        )


def _show(args: argparse.Namespace) -> None:
    from ..vocabulary import Vocabulary

    vocabulary = Vocabulary.of(args.words)
    description = _description(vocabulary)
    if args.json:
        terminal.print_json(description)
        return
    for index, entry in enumerate(description.pop("classes")):
        print(f"{index:>5}  {entry}")
    print()
    for name, value in description.items():
        print(f"{name}: {'-' if value is None else value}")


def _lists(args: argparse.Namespace) -> None:
    from .. import templates, words

    classes = {name: len(words.read_list(name)) for name in words.list_names()}
    sets = {name: len(templates.get(name).templates) for name in templates.names()}
    if args.json:
        terminal.print_json({"class_lists": classes, "template_sets": sets})
        return
    print(terminal.table([(name, str(count)) for name, count in classes.items()], ("class list", "classes")))
    print()
    print(terminal.table([(name, str(count)) for name, count in sets.items()], ("template set", "sentences")))


def _cache(args: argparse.Namespace) -> None:
    from .. import cache

    found = cache.info() if args.operation == "info" else cache.prune(args.older_than)
    if args.json:
        key = "entries" if args.operation == "info" else "deleted"
        terminal.print_json({"path": str(found.path), key: found.entries, "bytes": found.size})
        return
    verb = "" if args.operation == "info" else "deleted "
    print(f"{found.path}: {verb}{found.entries} entries, {found.size / 1e6:.1f} MB")


def _description(vocabulary: Any) -> dict[str, Any]:
    return {
        "classes": vocabulary.entries(),
        "words": len(vocabulary.queries),
        "width": vocabulary.width,
        "templates": vocabulary.templates,
        "text_encoder_sha256": vocabulary.text_encoder_sha256,
    }
