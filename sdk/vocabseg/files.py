"""Files are written whole or not at all: to a temporary name first, then renamed."""

from __future__ import annotations

import os
import uuid
from pathlib import Path


def write_atomic(path: str | os.PathLike[str], data: bytes) -> Path:
    """Write ``data`` to ``path`` so that a reader sees the old content or the new one, never a part.

    Links are followed. What is not a regular file (``/dev/null``, a named pipe) is written in place, because
    a rename would replace it. Raises ``OSError``; nothing is left behind then.
    """
    target = Path(path).resolve()
    if target.exists() and not target.is_file():
        target.write_bytes(data)
        return target
    temporary = target.with_name(f".{target.name[:64]}.{uuid.uuid4().hex}.tmp")
    try:
        with open(temporary, "xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return target
