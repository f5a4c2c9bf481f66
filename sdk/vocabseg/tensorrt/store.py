"""Engines on disk: ``engines/`` in a bundle, or a folder of the cache.

An engine is two files, ``<tower>.<precision>.<digest>.plan`` and the same with ``.json``. The record is written last, so
an engine without one does not exist. There is one engine per tower, precision and device; a new one replaces the old.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..bundle import ENGINES, sha256
from ..cache import home
from ..errors import BackendUnavailable, CacheError, EngineError
from ..files import write_atomic
from .record import Record, read_record

_DEVICE_FIELDS = ("precision", "device", "compute_capability", "tegra")


def bundle_folder(bundle: Path) -> Path:
    """Where a bundle keeps its engines."""
    return bundle / ENGINES


def cache_folder(manifest: Mapping[str, Any]) -> Path:
    """Where the cache keeps the engines of a bundle: a folder named after its image network."""
    files, variants = manifest["files"], manifest["image_encoder"]["variants"]
    content = files[next(iter(variants.values()))]["sha256"]
    safe = "".join(c if c.isalnum() or c in "-_" else "-" for c in manifest["name"])[:64]
    return home() / ENGINES / f"{safe}-{content[:12]}"


class Store:
    """The engines of one folder."""

    def __init__(self, folder: Path, private: bool = False) -> None:
        """private: the folder must belong to this user alone, as the cache's does."""
        self.folder, self._private = folder, private

    def prepare(self) -> None:
        """Make the folder. Raises `CacheError` where it cannot be written or is not this user's own."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700 if self._private else 0o777)
            if not os.access(self.folder, os.W_OK | os.X_OK):
                raise PermissionError("the folder cannot be written")
        except OSError as error:
            hint = "set VOCABSEG_HOME to a folder of yours" if self._private else "build with --cache"
            raise CacheError(f"cannot keep engines in {self.folder}: {error}; {hint}") from error
        self._check_owner()

    def _check_owner(self) -> None:
        """An engine is executable content: nobody else may have written it. Raises `CacheError`."""
        if not self._private or not self.folder.is_dir():
            return
        status = self.folder.stat()
        if status.st_uid != os.getuid() or status.st_mode & stat.S_IWOTH:
            raise CacheError(
                f"engines in {self.folder} can be written by others, and an engine is executable content; "
                f"run: chmod o-w {self.folder}, or set VOCABSEG_HOME to a folder of yours"
            )

    def records(self) -> list[Record]:
        """What is there, sorted by name; a record that cannot be read counts as absent, see ``unreadable``."""
        return self._read()[0]

    def unreadable(self) -> list[str]:
        """What is wrong with the records that cannot be read."""
        return self._read()[1]

    def _read(self) -> tuple[list[Record], list[str]]:
        self._check_owner()
        records, problems = [], []
        for path in sorted(self.folder.glob("*.json")):
            try:
                records.append(read_record(path))
            except EngineError as error:
                problems.append(str(error))
        return records, problems

    def find(self, tower: str, digest: str) -> Record | None:
        """The engine with exactly this key, if it is there and whole."""
        for record in self.records():
            if (record.tower, record.digest) == (tower, digest) and self.damage(record) is None:
                return record
        return None

    def damage(self, record: Record) -> str | None:
        """What is wrong with a plan file, or None."""
        path = self.folder / record.plan
        if not path.is_file():
            return "the file is missing"
        size = path.stat().st_size
        if size != record.plan_bytes:
            return f"the file has {size} bytes, expected {record.plan_bytes}"
        if sha256(path) != record.plan_sha256:
            return "the file's sha256 is not the recorded one"
        return None

    def read_plan(self, record: Record, rebuild: str) -> bytes:
        """The serialised engine. Raises `EngineError` where the file is missing, cut or altered."""
        try:
            plan = (self.folder / record.plan).read_bytes()
        except OSError as error:
            raise EngineError(f"cannot read engine {record.plan}: {error}; run: {rebuild}") from error
        if len(plan) != record.plan_bytes or hashlib.sha256(plan).hexdigest() != record.plan_sha256:
            raise EngineError(
                f"engine {self.folder / record.plan} is damaged: got {len(plan)} bytes, expected "
                f"{record.plan_bytes} with sha256 {record.plan_sha256[:12]}…; run: {rebuild}"
            )
        return plan

    def write_record(self, record: Record) -> None:
        """Enter an engine whose plan is in place, and drop the ones that it replaces."""
        others = [each for each in self.records() if replaces(record, each)]
        write_atomic(self._record_path(record), record.to_json().encode())
        for other in others:
            self.remove(other)

    def remove(self, record: Record) -> None:
        """Delete an engine, its record first."""
        self._record_path(record).unlink(missing_ok=True)
        (self.folder / record.plan).unlink(missing_ok=True)

    def _record_path(self, record: Record) -> Path:
        return (self.folder / record.plan).with_suffix(".json")

    def sweep(self) -> None:
        """Delete what interrupted builds left: temporary files, and plans without a record."""
        for leftover in self.folder.glob(".*.tmp"):
            leftover.unlink(missing_ok=True)
        for plan in self.folder.glob("*.plan"):
            if not plan.with_suffix(".json").is_file():
                plan.unlink(missing_ok=True)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """One build at a time in a folder. Raises `BackendUnavailable` while another one runs."""
        import fcntl

        with open(self.folder / ".lock", "w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise BackendUnavailable(
                    f"another build writes to {self.folder}; wait for it to end"
                ) from error
            yield


def replaces(new: Record, old: Record) -> bool:
    """Whether both are the same network in the same precision for the same device, under different keys."""
    same = all(new.key.get(name) == old.key.get(name) for name in _DEVICE_FIELDS)
    return same and new.tower == old.tower and new.plan != old.plan


def plan_name(tower: str, precision: str, digest: str) -> str:
    return f"{tower}.{precision}.{digest}.plan"
