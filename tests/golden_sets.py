"""Golden files: where they are, which method each belongs to, and how that method is configured.

Files of CLIPtrase, ResCLIP and SC-CLIP say their own settings; ``CASES`` has those of the others.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np

WEIGHTS = "tiny_clip_visual.safetensors"
HERE = Path(__file__).resolve().parent
DEFAULT_FOLDERS = (HERE / "golden", HERE.parent.parent / "shared" / "golden")


@dataclass(frozen=True)
class Case:
    """How the official code behind a golden file is configured in vocabseg's terms."""

    method: str
    parameters: dict = field(default_factory=dict)
    activation: str = "quick_gelu"
    eps: float = 1e-5
    pad_windows: bool = False  # ClearCLIP pads a window to whole patches; the others stretch the grid over it
    whole_at_source: bool = False  # MaskCLIP never slides: its labels at the source size come from one window


CASES = {
    "maskclip": Case("maskclip", activation="gelu", eps=1e-6, whole_at_source=True),
    "maskclip_quickgelu": Case("maskclip", whole_at_source=True),
    "sclip": Case("sclip"),
    "clearclip": Case("clearclip", pad_windows=True),
    "clearclip_vanilla": Case("vanilla", pad_windows=True),
    "clearclip_maskclip": Case("maskclip", {"head": "identity"}, pad_windows=True),
    "clearclip_sclip": Case("sclip", {"residual": False}, pad_windows=True),
    "naclip": Case("naclip"),
    "naclip_kk": Case("naclip", {"std": None}),
}


def folders() -> list[Path]:
    """The folder that VOCABSEG_GOLDEN names, or the default ones that exist."""
    named = os.environ.get("VOCABSEG_GOLDEN")
    return [Path(named)] if named else [folder for folder in DEFAULT_FOLDERS if folder.is_dir()]


def find(name: str) -> Path | None:
    return next((folder / name for folder in folders() if (folder / name).is_file()), None)


def weights() -> Path:
    """The model's state dict: beside the arrays, else the one in the repository."""
    return find(WEIGHTS) or HERE / "golden" / WEIGHTS


@cache
def load(path: Path) -> dict[str, np.ndarray]:
    with np.load(path) as arrays:
        return {name: arrays[name] for name in arrays.files}


def files_with(key: str) -> list[Path]:
    """Golden files of a known method that hold ``key``."""
    return [path for path in files() if case_name(path) in CASES and key in load(path)]


def named(*methods: str, holding: str | None = None) -> list[Path]:
    """Golden files whose name's first word is one of ``methods``, and that hold a key."""
    found = [path for path in files() if path.stem.partition("_")[0] in methods]
    return [path for path in found if holding is None or holding in load(path)]


def files() -> list[Path]:
    """All golden files, each name once, earlier folders first."""
    found: dict[str, Path] = {}
    for folder in folders():
        for path in sorted(folder.glob("*.npz")):
            found.setdefault(path.name, path)
    return list(found.values())


def case_name(path: Path) -> str:
    return path.stem.rpartition("_")[0]


def case_of(path: Path) -> Case:
    return CASES[case_name(path)]


def tower(path: Path):
    """The vision tower as the official code behind ``path`` runs it."""
    from vocabseg import clip

    case = CASES.get(case_name(path), Case(""))
    return clip.load_visual(weights(), activation=case.activation, eps=case.eps)


def method_of(path: Path):
    """The method with the settings of the official run behind ``path``; ProxyCLIP without its backbone."""
    from vocabseg import methods

    first = path.stem.partition("_")[0]
    if first in OWN_SETTINGS:
        return methods.get(first, **OWN_SETTINGS[first](path, load(path)))
    if first == "proxyclip":
        return methods.get(first)
    case = case_of(path)
    return methods.get(case.method, **case.parameters)


def cliptrase_settings(path: Path, arrays: dict[str, np.ndarray]) -> dict:
    clusters = {"eps": arrays["eps"].item(), "min_samples": arrays["min_samples"].item()}
    return {"class_token": True, **clusters}


def scclip_settings(path: Path, arrays: dict[str, np.ndarray]) -> dict:
    names = {"pre": "pre_adjust_idx", "post": "post_adjust_idx", "res_cls": "res_cls", "beta": "beta"}
    multi = (arrays["multi_start_idx"].item(), arrays["multi_end_idx"].item())
    return {"multi": multi, **{name: arrays[key].item() for name, key in names.items()}}


def resclip_settings(path: Path, arrays: dict[str, np.ndarray]) -> dict:
    base = arrays["attn_strategy"].item()
    return {
        "base": "naclip" if base == "resclip" else base,
        "rcs": None if path.stem.endswith("sfr_only") else tuple(arrays["attn_rcs_weights"].tolist()),
        "sfr": None if path.stem.endswith("rcs_only") else tuple(arrays["attn_sfr_weights"].tolist()),
        "temp_thd": arrays["temp_thd"].item(),
        "std": arrays["gaussian_std"].item(),
        "logit_scale": float(arrays["logit_scale"]),
        "connected": arrays["delete_same_entity"].item(),
    }


OWN_SETTINGS = {"cliptrase": cliptrase_settings, "scclip": scclip_settings, "resclip": resclip_settings}


def windows_of(arrays: dict[str, np.ndarray]):
    """The window plan of a picture of ResCLIP or SC-CLIP, and its windows [W, 3, h, w]."""
    from vocabseg import ops

    image = arrays["image"].astype(np.float32)[0]
    crop = int(arrays["slide_crop"]) or image.shape[1:]
    plan = ops.window_plan(image.shape[1:], crop=crop, stride=int(arrays["slide_stride"]), patch=16)
    tiles = [image[:, y : y + plan.window_h, x : x + plan.window_w] for y in plan.ys for x in plan.xs]
    return plan, np.stack(tiles)
