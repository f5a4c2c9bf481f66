"""What a bundle holds beside the weights, and how its manifest says so."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from typing import Any

from .. import __version__, templates
from ..errors import VocabsegError, VocabularyError
from ..methods import Method
from .source import Source
from .trace import DTYPES, output_shapes
from .window import Window

PRECISIONS = tuple(DTYPES)
# logit_scale of each method's published configuration (before the softmax over words).
LOGIT_SCALES = {"clearclip": 50.0}
DEFAULT_LOGIT_SCALE = 40.0
PAMR_DILATIONS = (8, 16)
REFERENCE = "reference.safetensors"


@dataclass(frozen=True)
class Settings:
    """What a bundle holds beside the model, the method and the window.

    precisions: graphs to write; float32 is always among them. weights: ``float32``, or ``float16`` to round the
    matrices once and store them in half the size. templates: name of the default template set. vocabulary: words
    to store as the default vocabulary, see ``Vocabulary.of``. merges: byte-pair merges; None for OpenAI's.
    area_threshold, pamr_steps: post-steps, see the method cards of SCLIP and NACLIP; None leaves a step out.
    options: of the ``vocabseg export`` that makes it, see ``command.recorded``; None where it is made from Python.
    """

    name: str | None = None
    precisions: Sequence[str] = ("float32",)
    weights: str = "float32"
    templates: str = "openai80"
    vocabulary: str | Sequence[str] | None = None
    merges: str | os.PathLike[str] | None = None
    licence: str | None = None
    logit_scale: float | None = None
    threshold: float = 0.0
    area_threshold: float | None = None
    pamr_steps: int | None = None
    options: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        unknown = [name for name in self.precisions if name not in PRECISIONS]
        if unknown or self.weights not in ("float32", "float16"):
            raise VocabsegError(
                f"no precision {(unknown or [self.weights])[0]!r}; one of {', '.join(PRECISIONS)}"
            )
        if self.templates not in templates.names():
            raise VocabularyError(
                f"a bundle names a template set that every vocabseg has: {', '.join(templates.names())}; "
                f"got {self.templates!r}"
            )
        if self.logit_scale is not None and not 0 < self.logit_scale < 1e6:
            raise VocabsegError(f"the logit scale is {self.logit_scale}, expected a positive number")
        if not 0 <= self.threshold < 1:
            raise VocabsegError(f"the threshold is {self.threshold}, expected 0 to 1")
        if self.pamr_steps is not None and self.pamr_steps < 1:
            raise VocabsegError(f"{self.pamr_steps} steps of PAMR, expected 1 or more")
        if self.area_threshold is not None and not 0 <= self.area_threshold < 1:
            raise VocabsegError(f"the area threshold is {self.area_threshold}, expected 0 to 1")

    def post_steps(self) -> list[dict[str, Any]]:
        """The ``post_steps`` entry of the manifest."""
        steps: list[dict[str, Any]] = []
        if self.area_threshold is not None:
            steps.append({"name": "area_threshold", "threshold": self.area_threshold})
        if self.pamr_steps is not None:
            steps.append({"name": "pamr", "steps": self.pamr_steps, "dilations": list(PAMR_DILATIONS)})
        return steps


def graph_metadata(source: Source, method: Method, window: Window, grid: tuple[int, int]) -> dict[str, str]:
    """What a consumer of the ONNX file alone has to know."""
    return {
        "method": repr(method),
        "mean": " ".join(map(str, source.mean)),
        "std": " ".join(map(str, source.std)),
        "window": f"{window.height} {window.width}",
        "patch_size": str(source.visual.config.patch_size),
        "grid": f"{grid[0]} {grid[1]}",
    }


def describe(
    source: Source,
    method: Method,
    window: Window,
    grid: tuple[int, int],
    settings: Settings,
    image: Mapping[str, str],
    text: Mapping[str, str] | None,
    feedback: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """The manifest, without its files."""
    config = source.visual.config
    _, *extra = output_shapes(source.visual, method, window.size).items()
    size = ("patch_size", "width", "layers", "heads", "embed_dim", "activation")
    return {
        "name": settings.name or f"{source.architecture}-{method.name}".lower(),
        "created_by": f"vocabseg {__version__}",
        "created": datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "model": {
            "architecture": source.architecture,
            "pretrained": source.pretrained,
            "weights_sha256": source.sha256,
            "licence": settings.licence or source.licence,
            "source": source.origin,
            **{key: getattr(config, key) for key in size},
        },
        "method": {"name": method.name, "parameters": asdict(method)},
        "window": window.manifest(),
        "grid": list(grid),
        "normalization": {"mean": list(source.mean), "std": list(source.std)},
        "logit_scale": settings.logit_scale or LOGIT_SCALES.get(method.name, DEFAULT_LOGIT_SCALE),
        "threshold": settings.threshold,
        "post_steps": [*method.post_steps(), *settings.post_steps()],
        "image_encoder": {
            "input": "windows",
            "output": "features",
            "extra_outputs": {name: list(shape) for name, shape in extra},
            "variants": dict(image),
        },
        "feedback_encoder": feedback
        and {"input": "shared", "output": "features", "variants": dict(feedback)},
        "text_encoder": text and {"input": "tokens", "output": "embedding", "variants": dict(text)},
        "tokenizer": None,
        "templates": settings.templates,
        "vocabularies": {},
        "reference": REFERENCE,
        **({"export": dict(settings.options)} if settings.options else {}),
    }
