"""What is on disk: a folder with ``manifest.json``, which names every other file with its size and sha256.

The runtime's own reader is the C++ core (``cpp/src/bundle.cc``); this one serves export and verification, which
must also work where the core is not built. Both refuse the same bundles.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .errors import BundleError
from .files import write_atomic

SCHEMA_VERSION = 1
MANIFEST = "manifest.json"
# Belongs to devices, not to the bundle: built engines, each with a record of its own.
ENGINES = "engines"
POST_STEPS = ("area_threshold", "pamr", "feedback", "segment_vote", "class_token")

_REQUIRED = (
    "name",
    "model",
    "method",
    "window",
    "grid",
    "normalization",
    "logit_scale",
    "image_encoder",
    "files",
)
_BLOCK = 1 << 20


def read_manifest(folder: str | os.PathLike[str]) -> dict[str, Any]:
    """The manifest of a bundle, its schema checked but not its files. Raises `BundleError`."""
    path = Path(folder) / MANIFEST
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise BundleError(
            f"{folder} is not a bundle: it has no {MANIFEST}; make one with: vocabseg export"
        ) from error
    except (OSError, ValueError) as error:
        raise BundleError(f"cannot read {path}: {error}; copy the bundle again") from error
    version = manifest.get("schema_version") if isinstance(manifest, dict) else None
    if version != SCHEMA_VERSION:
        raise BundleError(
            f"{path} has schema_version {version!r}, expected {SCHEMA_VERSION}; "
            "update vocabseg, or export the bundle again with: vocabseg export"
        )
    missing = [key for key in _REQUIRED if key not in manifest]
    if missing:
        raise BundleError(f"{path} lacks {', '.join(missing)}; export the bundle again with: vocabseg export")
    for step in manifest.get("post_steps") or []:
        if step.get("name") not in POST_STEPS:
            raise BundleError(f"{path} has post-step {step.get('name')!r}, known are {', '.join(POST_STEPS)}")
    return manifest


def check_files(folder: str | os.PathLike[str], manifest: Mapping[str, Any]) -> None:
    """Every file that the manifest lists is in the folder, unchanged. Raises `BundleError`."""
    for name, entry in manifest["files"].items():
        actual = sha256(inside(folder, name))
        if actual != entry["sha256"]:
            raise BundleError(
                f"{name} of bundle {folder} is altered: sha256 {actual[:12]}…, the manifest says "
                f"{entry['sha256'][:12]}…; copy the bundle again, or export it again with: vocabseg export"
            )


def inside(folder: str | os.PathLike[str], name: str) -> Path:
    """The path of a bundle's file. Raises `BundleError` where it is missing or not in the folder."""
    root = Path(folder).resolve()
    path = (root / name).resolve()
    if not path.is_relative_to(root) or path == root:
        raise BundleError(f"bundle {folder} names {name!r}, which is not inside its folder")
    if not path.is_file():
        raise BundleError(f"bundle {folder} lacks {name}; copy it again, or run: vocabseg export")
    return path


def sha256(path: Path) -> str:
    """SHA-256 of a file, as hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def describe_files(folder: Path) -> dict[str, dict[str, Any]]:
    """``{name: {"sha256", "bytes"}}`` of every file below a folder, except the manifest and engines."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    names = {path.relative_to(folder).as_posix(): path for path in files}
    return {
        name: {"sha256": sha256(path), "bytes": path.stat().st_size}
        for name, path in names.items()
        if name != MANIFEST and not name.startswith(f"{ENGINES}/")
    }


def write_manifest(folder: Path, manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Add ``files`` to a manifest, write it beside them, and return it as a reader will see it."""
    complete = {"schema_version": SCHEMA_VERSION, **manifest, "files": describe_files(folder)}
    text = json.dumps(complete, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    write_atomic(folder / MANIFEST, text.encode())
    return read_manifest(folder)


@contextmanager
def new_bundle(target: str | os.PathLike[str], force: bool = False) -> Iterator[Path]:
    """A folder to fill, which becomes ``target`` when the block ends without an error, and vanishes otherwise.

    Args:
        target: must not exist yet, or be an empty folder.
        force: replace a bundle that is there; anything else is never replaced.

    Raises:
        BundleError: ``target`` is in the way, or its folder cannot be written.
    """
    goal = Path(target).expanduser().absolute()
    check_target(goal, force)
    folder = goal.with_name(f".{goal.name[:64]}.{uuid.uuid4().hex}.tmp")
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise BundleError(f"cannot write a bundle to {goal}: {error.strerror or error}") from error
    try:
        yield folder
        replace_folder(folder, goal)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def check_target(path: str | os.PathLike[str], force: bool) -> None:
    """Nothing that a user may still want is at ``path``. Raises `BundleError`."""
    target = Path(path).expanduser()
    if not target.exists() and not target.is_symlink():
        return
    if target.is_dir() and not any(target.iterdir()):
        return
    if not (target / MANIFEST).is_file():
        raise BundleError(f"{target} exists and is not a bundle; choose another --out")
    if not force:
        raise BundleError(f"{target} exists; choose another --out, or replace it with --force")


def replace_folder(new: Path, target: Path) -> None:
    """Move ``new`` to ``target``. What was there is put back if the move fails, and deleted after it."""
    if not target.exists():
        os.rename(new, target)
        return
    old = target.with_name(f".{target.name[:64]}.{uuid.uuid4().hex}.old")
    os.rename(target, old)
    try:
        os.rename(new, target)
    except BaseException:
        os.rename(old, target)
        raise
    shutil.rmtree(old, ignore_errors=True)
