"""The command line: ``vocabseg COMMAND``, the same as ``python -m vocabseg COMMAND``.

One module per command with ``add_parser(subparsers)`` and ``run(args) -> int``; they import what they need in
``run``, so that ``--help`` is fast and needs nothing installed.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
from collections.abc import Sequence

from .. import __version__
from ..errors import VocabsegError
from . import build, doctor, export, methods, segment, verify, vocab

COMMANDS = (segment, export, build, verify, vocab, methods, doctor)
EXIT_CODES = """exit codes:
  0    done
  1    failed: one line on standard error names the error and the next command
  2    the command line was not understood
  130  interrupted"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code. Usage errors and ``--help`` raise ``SystemExit``."""
    args = _parse(argv)
    _set_up_logging(args.verbose - args.quiet)
    try:
        return int(args.run(args))
    except (VocabsegError, OSError) as error:
        return _fail(error, as_json=getattr(args, "json", False))
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = _make_parser()
    args, extra = parser.parse_known_args(argv)
    if extra and hasattr(args, "inputs") and not any(argument.startswith("-") for argument in extra):
        args.inputs += extra  # argparse itself takes positionals only up to the first option after one
    elif extra:
        parser.error(f"unrecognized arguments: {' '.join(extra)}")
    return args


def _make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="vocabseg",
        description="A picture and a list of words in, a label map out.",
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"vocabseg {__version__}")
    parser.set_defaults(verbose=0, quiet=0)
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.add_parser(subparsers)
        name = command.__name__.rpartition(".")[2]
        subparsers.choices[name].set_defaults(run=command.run)
        _add_common(subparsers.choices[name])
    return parser


def _add_common(parser: argparse.ArgumentParser) -> None:
    """Verbosity and the exit codes, on a command and on its actions."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = f"{parser.epilog}\n{EXIT_CODES}" if parser.epilog else EXIT_CODES
    nested = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    for action in nested:
        for choice in action.choices.values():
            _add_common(choice)
    if not nested:
        parser.add_argument("-v", "--verbose", action="count", default=0, help="say more; -vv for everything")
        parser.add_argument("-q", "--quiet", action="count", default=0, help="say errors only")


def _set_up_logging(verbosity: int) -> None:
    level = {-1: logging.ERROR, 0: logging.WARNING, 1: logging.INFO}.get(max(verbosity, -1), logging.DEBUG)
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger("vocabseg")
    root.handlers = [handler]
    root.setLevel(level)


def _fail(error: Exception, as_json: bool) -> int:
    """One line on standard error; with ``--json`` the same as the one document on standard output."""
    if isinstance(error, BrokenPipeError):  # the reader went away, for example `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    kind, message = type(error).__name__, " ".join(str(error).split())
    print(f"{kind}: {message}", file=sys.stderr)
    if as_json:
        print(json.dumps({"error": {"type": kind, "message": message}}, ensure_ascii=False))
    return 1
