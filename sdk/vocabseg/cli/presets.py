"""``--preset`` of ``vocabseg export``: fills in the options that the command line leaves open."""

from __future__ import annotations

import argparse
from typing import Any

from ..errors import VocabsegError

_USUAL_DEPTH = 12


def apply(args: argparse.Namespace) -> None:
    """Window, logit scale, thresholds, PAMR.

    Raises:
        VocabsegError: the method has no such preset; lists those that there are.
    """
    preset = _preset(args, _USUAL_DEPTH)
    if preset is None:
        return
    for option in ("logit_scale", "threshold", "area_threshold", "pamr", "resize"):
        if getattr(args, option) is None:
            setattr(args, option, getattr(preset, option))
    sliding = any(value is not None for value in (args.crop, args.stride, args.short_side))
    if preset.whole and not sliding and args.whole is None:
        args.whole = "x".join(map(str, preset.whole))
    elif not preset.whole and args.whole is None:
        _apply_sliding(args, preset)


def parameters(args: argparse.Namespace, layers: int = _USUAL_DEPTH) -> dict[str, Any]:
    """The method's, for a model of this depth."""
    preset = _preset(args, layers)
    return {} if preset is None else preset.parameters


def _preset(args: argparse.Namespace, layers: int) -> Any:
    from ..methods.presets import get

    try:
        return None if args.preset is None else get(args.method, args.preset, layers)
    except ValueError as error:
        raise VocabsegError(str(error)) from error


def _apply_sliding(args: argparse.Namespace, preset: Any) -> None:
    """A crop that is given brings its own stride."""
    if args.crop is None:
        args.crop = preset.crop
        args.stride = preset.stride if args.stride is None else args.stride
    if args.short_side is None:
        args.short_side = preset.short_side
