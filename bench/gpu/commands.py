"""Steps in processes of their own: what one leaves behind in a GPU's context, or hangs in, ends with it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
_LAST_LINES = 3


class OutOfTime(Exception):
    """A step did not end within what its part had left."""


def python(
    arguments: Sequence[str], seconds: float, variables: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run Python from the repository, for at most ``seconds``. Raises `OutOfTime`."""
    return run([sys.executable, *arguments], seconds, variables)


def run(
    command: Sequence[str], seconds: float, variables: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    paths = [*(path for path in sys.path if path), str(ROOT), str(ROOT / "tests")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), **(variables or {})}
    if seconds <= 0:
        raise OutOfTime
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    # A session of its own, so that what it started in turn ends with it.
    with subprocess.Popen(command, cwd=ROOT, env=environment, start_new_session=True, **pipes) as process:
        try:
            said = process.communicate(timeout=seconds)
        except BaseException as error:
            os.killpg(process.pid, signal.SIGKILL)
            if isinstance(error, subprocess.TimeoutExpired):
                raise OutOfTime from error
            raise
    return subprocess.CompletedProcess(command, process.returncode, *said)


def answer(done: subprocess.CompletedProcess[str]) -> Any:
    """The JSON document on standard output. Raises RuntimeError with the last lines of what was said instead."""
    try:
        return json.loads(done.stdout)
    except ValueError as error:
        raise RuntimeError(last_lines(done)) from error


def last_lines(done: subprocess.CompletedProcess[str], text: str = "") -> str:
    """How a process ended: of ``text``, else of its errors, else of its output."""
    said = (text.strip() or done.stderr.strip() or done.stdout.strip()).splitlines()[-_LAST_LINES:]
    return f"exit code {done.returncode}: {' / '.join(said) or 'nothing was said'}"
