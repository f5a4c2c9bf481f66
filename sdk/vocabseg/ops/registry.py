"""Which implementations an op has, which can run here, and which one runs."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from ..errors import BackendUnavailable

# Op -> its folder under kernels/.
FOLDERS = {
    "cluster_maps": "clustering",
    "correlative_attention": "correlative_attention",
    "dbscan": "clustering",
    "decode_labels": "label_decoding",
    "mask_classification": "mask_pooling",
    "mask_pool": "mask_pooling",
    "pamr": "pamr",
    "patch_text_similarity": "patch_text_similarity",
    "preprocess": "preprocessing",
    "top_classes": "patch_text_similarity",
    "upsample_scores": "label_decoding",
}
# Implementation -> the module whose functions are named like the ops; "auto" takes the first that can run.
# Its check(device) says why it can run on arrays of a device ("cpu", "cuda:0"), or raises BackendUnavailable.
MODULES = {"triton": ".triton", "cubin": ".cubin", "cpu": ".cpu", "reference": ".reference"}
# "auto" takes these for arrays on a GPU, and the others for arrays on the CPU.
ON_GPU = {"triton", "cubin"}
# The specification: float64 at full resolution, for tests. Only on request.
ON_REQUEST = {"reference"}

_recorded: ContextVar[list[str] | None] = ContextVar("recorded", default=None)


@dataclass(frozen=True)
class Implementation:
    """One implementation of an op: its id, whether it can run here, and why, or why not."""

    id: str
    available: bool
    reason: str


def implementations(op: str, device: str = "cpu") -> list[Implementation]:
    """The implementations of an op for arrays on a device, in the order in which ``impl="auto"`` prefers them."""
    return [_describe(op, name, device)[0] for name in MODULES]


def choose(op: str, impl: str = "auto", device: str = "cpu") -> Implementation:
    """The implementation that ``impl`` runs, with the reason. Raises ``BackendUnavailable`` if none can."""
    return _choose(op, impl, device)[0]


@contextmanager
def record() -> Iterator[list[str]]:
    """Collect the ids of the implementations that run inside the block.

    >>> with ops.record() as used:
    ...     ops.mask_pool(features, masks)
    >>> used
    ['mask_pooling/cpu']
    """
    used: list[str] = []
    token = _recorded.set(used)
    try:
        yield used
    finally:
        _recorded.reset(token)


def run(op: str, impl: str, device: str, /, *args: Any, **kwargs: Any) -> Any:
    """Call the implementation that ``impl`` chooses. Raises ``BackendUnavailable`` if it cannot run."""
    chosen, function = _choose(op, impl, device)
    used = _recorded.get()
    if used is not None:
        used.append(chosen.id)
    return function(*args, **kwargs)


def _choose(op: str, impl: str, device: str) -> tuple[Implementation, Callable[..., Any]]:
    folder = _folder(op)
    name = impl.removeprefix(f"{folder}/")
    if impl != "auto" and name not in MODULES:
        known = ", ".join(f"{folder}/{name}" for name in MODULES)
        raise BackendUnavailable(f"{op} has no implementation {impl!r}; it has {known}")
    names = _automatic(device) if impl == "auto" else [name]
    reasons = []
    for name in names:
        description, function = _describe(op, name, device)
        if function is not None:
            return description, function
        reasons.append(f"{description.id}: {description.reason}")
    raise BackendUnavailable(f"no implementation of {op} can run here: {'; '.join(reasons)}")


def _automatic(device: str) -> list[str]:
    on_gpu = device != "cpu"
    return [name for name in MODULES if name not in ON_REQUEST and (name in ON_GPU) == on_gpu]


def _describe(op: str, name: str, device: str) -> tuple[Implementation, Callable[..., Any] | None]:
    id = f"{_folder(op)}/{name}"
    try:
        module = importlib.import_module(MODULES[name], __package__)
        reason = module.check(device)
    except ImportError as error:
        return Implementation(id, False, f"{error}; install the package again: pip install vocabseg"), None
    except BackendUnavailable as error:
        return Implementation(id, False, str(error)), None
    function = getattr(module, op, None)
    if function is None:
        return Implementation(id, False, f"{op} has no such implementation"), None
    return Implementation(id, True, reason), function


def _folder(op: str) -> str:
    if op not in FOLDERS:
        raise BackendUnavailable(f"there is no op {op!r}; there are {', '.join(FOLDERS)}")
    return FOLDERS[op]
