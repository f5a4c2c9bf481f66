"""``vocabseg doctor``: what works here, what does not, and the command that fixes it."""

from __future__ import annotations

import argparse
import textwrap
from typing import TYPE_CHECKING, Any

from . import terminal

if TYPE_CHECKING:
    from ..doctor import Finding


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "doctor", help="tell what works on this machine, and how to fix what does not"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document")


def run(args: argparse.Namespace) -> int:
    from ..doctor import as_json, examine

    findings = examine()
    report = as_json(findings)
    if args.json:
        terminal.print_json(report)
    else:
        _print(findings)
        print(
            "\nready to segment" if report["ok"] else "\nnot ready: fix what is marked broken, from the top"
        )
    return 0 if report["ok"] else 1


def _print(findings: list[Finding]) -> None:
    width = max(len(finding.name) for finding in findings)
    indent = " " * (width + 12)
    for finding in findings:
        start = f"{finding.name:<{width}}  {finding.status:<8}  "
        print(
            textwrap.fill(
                start + finding.detail, terminal.WIDTH, subsequent_indent=indent, break_on_hyphens=False
            )
        )
        if finding.fix:
            print(f"{indent}fix: {finding.fix}")
