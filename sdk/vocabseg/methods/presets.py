"""The settings of the published numbers, per method and data set, as the official configurations have them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Preset:
    """What a bundle needs to repeat a published number.

    ``whole`` is a window that frames are resized to cover, where the official code takes pictures whole, at any
    size: the same where a picture has the window's shape. Otherwise windows of ``crop`` pixels slide by ``stride``
    over a frame whose short side is ``short_side``.
    """

    vocabulary: str
    short_side: int = 336
    crop: int = 224
    stride: int = 112
    whole: tuple[int, int] | None = None
    resize: str = "bilinear"
    logit_scale: float = 40.0
    threshold: float = 0.0
    area_threshold: float | None = None
    pamr: int | None = None
    parameters: dict[str, Any] = field(default_factory=dict)


WHOLE = (336, 448)


def _sclip() -> dict[str, Preset]:
    return {
        "voc21": Preset("voc21", logit_scale=65, threshold=0.1, area_threshold=0.1),
        "voc20": Preset("voc20"),
        "context60": Preset("context60", logit_scale=50, threshold=0.1),
        "context59": Preset("context59"),
        "coco_object": Preset("coco_object", logit_scale=50, threshold=0.1),
        "coco_stuff": Preset("coco_stuff", short_side=448),
        "cityscapes": Preset("cityscapes", short_side=560),
        "ade20k": Preset("ade20k"),
    }


def _naclip() -> dict[str, Preset]:
    return {
        "voc21": Preset("voc21", whole=WHOLE, threshold=0.1, pamr=10),
        "voc20": Preset("voc20", whole=WHOLE, pamr=10),
        "context60": Preset("context60", threshold=0.1, pamr=10),
        "context59": Preset("context59", pamr=10),
        "coco_object": Preset("coco_object", threshold=0.1, pamr=10),
        "coco_stuff": Preset("coco_stuff", pamr=10),
        "cityscapes": Preset("cityscapes", short_side=560, pamr=10),
        "ade20k": Preset("ade20k", pamr=10),
    }


def _clearclip() -> dict[str, Preset]:
    def preset(name: str, **settings: Any) -> Preset:
        return Preset(name, **{"short_side": 448, "crop": 448, "stride": 224, "logit_scale": 50, **settings})

    return {
        "voc21": preset("voc21", threshold=0.5),
        "voc20": preset("voc20"),
        "context60": preset("context60", threshold=0.15),
        "context59": preset("context59"),
        "coco_object": preset("coco_object", threshold=0.4),
        "coco_stuff": preset("coco_stuff"),
        "cityscapes": preset("cityscapes", crop=224, stride=224),
        "ade20k": preset("ade20k"),
    }


def _resclip() -> dict[str, Preset]:
    def preset(name: str, temp_thd: float, rcs: float, sfr: tuple[float, float], **settings: Any) -> Preset:
        parameters = {"temp_thd": temp_thd, "rcs": (2.0, rcs), "sfr": sfr}
        return Preset(name, parameters=parameters, **settings)

    return {
        "voc21": preset("voc21", 0.5, 0.3, (2.2, 0.7), whole=WHOLE, threshold=0.1),
        "voc20": preset("voc20", 0.1, 0.6, (2.1, 0.6), whole=WHOLE),
        "context60": preset("context60", 0.3, 0.3, (1.8, 0.7), threshold=0.1),
        "context59": preset("context59", 0.25, 0.4, (1.8, 0.7)),
        "coco_object": preset("coco_object", 0.11, 0.4, (1.8, 0.7), threshold=0.1),
        "coco_stuff": preset("coco_stuff", 0.11, 0.4, (1.8, 0.7)),
        "cityscapes": preset("cityscapes", 0.1, 0.2, (2.1, 0.6), short_side=560),
        "ade20k": preset("ade20k", 0.25, 0.3, (2.1, 0.7)),
    }


def _scclip() -> dict[str, Preset]:
    return {
        "voc21": Preset("voc21", logit_scale=50, threshold=0.15, area_threshold=0.1),
        "voc20": Preset("voc20"),
        "context60": Preset("context60", threshold=0.15),
        "context59": Preset("context59"),
        "coco_object": Preset("coco_object", logit_scale=55, threshold=0.35),
        "coco_stuff": Preset("coco_stuff"),
        "cityscapes": Preset("cityscapes", short_side=560),
        "ade20k": Preset("ade20k"),
    }


def _cliptrase() -> dict[str, Preset]:
    def preset(name: str, side: int, eps: float, min_samples: int) -> Preset:
        parameters: dict[str, Any] = {"eps": eps, "min_samples": min_samples}
        if name == "voc20":
            parameters["class_token"] = True
        return Preset(name, whole=(side, side), resize="bicubic", logit_scale=100, parameters=parameters)

    names = ("voc20", "context59", "coco_stuff", "ade20k")
    return {name: preset(name, 224, 0.7, 3) for name in names} | {
        f"{name}-336": preset(name, 336, 1.1, 7) for name in names
    }


PRESETS: dict[str, dict[str, Preset]] = {
    "sclip": _sclip(),
    "naclip": _naclip(),
    "clearclip": _clearclip(),
    "cliptrase": _cliptrase(),
    "resclip": _resclip(),
    "scclip": _scclip(),
}

# What authors give for ViT-L/14: SC-CLIP in issue 5 of its repository.
LARGE: dict[str, dict[str, Any]] = {"scclip": {"pre": 16, "post": 6, "multi": (8, 19), "res_cls": 0.1}}


def get(method: str, name: str, layers: int = 12) -> Preset:
    """A preset by name; ``layers`` is the depth of the model.

    Raises:
        ValueError: there is none of this name.
    """
    known = PRESETS.get(method, {})
    if name not in known:
        raise ValueError(f"{method} has no preset {name!r}; it has: {', '.join(known) or 'none'}")
    preset = known[name]
    if layers == 24 and method in LARGE:
        parameters = {**preset.parameters, **LARGE[method]}
        return Preset(**{**preset.__dict__, "parameters": parameters})
    return preset
