"""``vocabseg methods``: the systems of the literature, what they cost and what they reach."""

from __future__ import annotations

import argparse
import itertools
import json
import textwrap
from typing import Any

from ..errors import VocabsegError
from . import terminal

_SHOWN_SET = "VOC20"  # the one data set that every paper reports
_NOT_MEASURED = "not measured"


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser("methods", help="list the methods, their cost and their published numbers")
    parser.add_argument("name", nargs="?", metavar="NAME", help="one method in full")
    parser.add_argument("--json", action="store_true", help="print one JSON document")


def run(args: argparse.Namespace) -> int:
    from ..literature import entries

    known = entries()
    if args.name is not None and args.name not in known:
        raise VocabsegError(f"no method {args.name!r}; known: {', '.join(known)}")
    if args.json:
        terminal.print_json(known if args.name is None else {args.name: known[args.name]})
    else:
        print(_overview(known) if args.name is None else _in_full(args.name, known[args.name]))
    return 0


def _overview(known: dict[str, dict[str, Any]]) -> str:
    """A table, what each method changes, and what the columns are."""
    protocols: dict[str, int] = {}
    rows = []
    for name, entry in known.items():
        first = entry["published"][0]
        note = protocols.setdefault(_protocol(first), len(protocols) + 1)
        published = f"{_number(first['miou'][_SHOWN_SET])} [{note}]"
        rows.append((name, entry["venue"], _flops(entry), _time(entry), published, _demo(entry)))
    header = ("method", "paper", "flops", "time", _SHOWN_SET, "demo")
    changes = [_indented(f"{name:<10} ", entry["changes"]) for name, entry in known.items()]
    notes = [_indented(f"[{number}] ", protocol) for protocol, number in protocols.items()]
    return "\n\n".join(
        [terminal.table(rows, header), "\n".join(changes), "\n".join([_legend(known), *notes])]
    )


def _legend(known: dict[str, dict[str, Any]]) -> str:
    columns = {
        "flops": "matrix products of the image network against vanilla; ViT-B/16, 441 patches",
        "time": f"a whole frame against vanilla; {_measured_on(known)}",
        "demo": "mIoU of the demo model on 200 generated scenes; docs/demo-model.md",
        _SHOWN_SET: "published mIoU; numbers of different protocols do not compare",
    }
    return "\n".join(_indented(f"{name}: ", text, "  ") for name, text in columns.items())


def _in_full(name: str, entry: dict[str, Any]) -> str:
    paper = f"{entry['authors']}, {entry['title']}, {entry['venue']}"
    parts = [_indented(f"{name}: ", paper, "  "), textwrap.fill(entry["changes"], terminal.WIDTH)]
    costs = [
        ("flops against vanilla", f"{_flops(entry)} ({entry['flops'] / 1e9:.1f} GFLOP)"),
        ("time against vanilla", _time(entry)),
        ("demo model, mIoU", _demo(entry)),
    ]
    parts.append("\n".join(f"{title:<22} {value}" for title, value in costs))
    parts.append(_parameters(entry["parameters"]))
    parts.append(_published(entry["published"]))
    parts.append(_presets(name, entry["presets"]))
    return "\n\n".join(parts)


def _parameters(parameters: dict[str, Any]) -> str:
    if not parameters:
        return "parameters: none"
    starts = {f"  {name}={_value(each['default'])}": each["meaning"] for name, each in parameters.items()}
    width = max(map(len, starts))
    lines = [_indented(f"{start:<{width}}  ", meaning) for start, meaning in starts.items()]
    return "\n".join(["parameters (--set):", *lines])


def _published(published: list[dict[str, Any]]) -> str:
    lines = ["published mIoU:"]
    for protocol, group in itertools.groupby(published, _protocol):
        lines.append(_indented("  ", protocol))
        for each in group:
            numbers = ", ".join(f"{data} {_number(miou)}" for data, miou in each["miou"].items())
            lines.append(_indented("    ", f"{each['model']}: {numbers}", "      "))
    return "\n".join(lines)


def _presets(name: str, presets: dict[str, Any]) -> str:
    if not presets:
        return "presets: none"
    listed = _indented("presets: ", ", ".join(presets), "  ")
    return f"{listed}\n  vocabseg export MODEL --method {name} --preset {next(iter(presets))} --out FOLDER"


def _protocol(published: dict[str, Any]) -> str:
    return f"{published['protocol']}; {published['source']}"


def _value(value: Any) -> str:
    """A parameter as ``--set`` takes it."""
    if isinstance(value, list):
        return ",".join(map(_value, value))
    return value if isinstance(value, str) else json.dumps(value).replace("null", "none")


def _number(miou: float) -> str:
    """As published: one decimal, or two."""
    return f"{miou:.1f}" if round(miou, 1) == miou else f"{miou:.2f}"


def _flops(entry: dict[str, Any]) -> str:
    return f"{100 * entry['extra_flops']:+.1f} %"


def _time(entry: dict[str, Any]) -> str:
    return f"{entry['time']['of_vanilla']:.2f}x" if entry["time"] else _NOT_MEASURED


def _demo(entry: dict[str, Any]) -> str:
    return "-" if entry["demo_miou"] is None else f"{entry['demo_miou']:.1f}"


def _measured_on(known: dict[str, dict[str, Any]]) -> str:
    times = [entry["time"] for entry in known.values() if entry["time"]]
    if not times:
        return "python -m bench.methods measures it"
    where = times[0]
    size = "x".join(map(str, where["size"])) if isinstance(where["size"], list) else where["size"]
    return f"{where['model']}, window {where['window']}, frames {size}, {where['threads']} threads, {where['cpu']}"


def _indented(start: str, text: str, indent: str | None = None) -> str:
    """``text`` wrapped behind ``start``; further lines begin below it, or with ``indent``."""
    further = " " * len(start) if indent is None else indent
    return textwrap.fill(start + text, terminal.WIDTH, subsequent_indent=further)
