"""What is known of each method: its paper, published numbers, its cost, and what was measured here.

``assets/methods/literature.json`` is written by hand. ``demo.json`` is what ``python -m vocabseg.eval.demo --json``
wrote for the demo model, and ``time.json``, where there is one, what ``python -m bench.methods --out`` wrote.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from . import flops, methods
from .methods.presets import PRESETS

ASSETS = Path(__file__).parent / "assets" / "methods"


def entries() -> dict[str, dict[str, Any]]:
    """Per method ``title``, ``authors``, ``venue``, ``year``, ``changes``, ``parameters`` (name -> default and
    meaning), ``published`` (model, protocol, source and mIoU by data set), ``presets``, ``flops`` and ``extra_flops``
    (see ``vocabseg.flops``), ``time`` (a warm frame's wall time against vanilla's, and where it was measured, or
    null) and ``demo_miou``."""
    literature, demo, times = (_read(name) for name in ("literature.json", "demo.json", "time.json"))
    miou = {row["method"]: row["miou"] for row in demo.get("methods", ())}
    ratios = {row["method"]: row["times"]["warm"].get("vanilla") for row in times.get("rows", ())}
    return {
        name: {
            **literature[name],
            "presets": {key: asdict(preset) for key, preset in PRESETS.get(name, {}).items()},
            "flops": flops.flops(name),
            "extra_flops": flops.extra_share(name),
            "time": {"of_vanilla": ratios[name], **_where(times)} if ratios.get(name) else None,
            "demo_miou": miou.get(name),
        }
        for name in methods.names()
    }


def _where(times: dict[str, Any]) -> dict[str, Any]:
    case, machine = times["case"], times["machine"]
    return {"cpu": machine["cpu"], **{key: case[key] for key in ("model", "window", "size", "threads")}}


def _read(name: str) -> dict[str, Any]:
    path = ASSETS / name
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
