"""Runs ``worker`` and brings its answer, or its error, to the caller."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from typing import Any

from .. import errors
from ..errors import EngineError, VocabsegError

_STDERR_LINES = 5


def run(action: str, job: dict[str, Any], progress: Callable[[float], None] | None = None) -> dict[str, Any]:
    """The answer of one job, see ``worker``. The worker never outlives this call.

    Raises what the worker raised, or `EngineError` where it died.
    """
    command = [sys.executable, "-m", "vocabseg.tensorrt.worker"]
    # The worker imports what this process would.
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    with tempfile.TemporaryFile("w+") as noise:
        worker = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=noise, text=True, env=environment
        )
        try:
            answer = talk(worker, {**job, "action": action}, progress or (lambda share: None))
            worker.wait()
        finally:
            if worker.poll() is None:
                worker.kill()
            worker.wait()
            for pipe in (worker.stdin, worker.stdout):
                if pipe is not None:
                    pipe.close()
        noise.seek(0)
        said = noise.read()
    if "done" in answer:
        return dict(answer["done"])
    if "error" in answer:
        raise as_exception(answer["error"])
    raise EngineError(death(action, job, worker.returncode, said))


def talk(
    worker: subprocess.Popen[str], job: dict[str, Any], progress: Callable[[float], None]
) -> dict[str, Any]:
    """Send the job and read to the last answer; empty where the worker gave none."""
    assert worker.stdin is not None and worker.stdout is not None
    try:
        worker.stdin.write(json.dumps(job))
        worker.stdin.close()
    except BrokenPipeError:
        return {}
    for line in worker.stdout:
        document = json.loads(line)
        if "progress" not in document:
            return dict(document)
        progress(float(document["progress"]))
    return {}


def as_exception(error: dict[str, str]) -> Exception:
    kind = getattr(errors, error["type"], EngineError)
    known = isinstance(kind, type) and issubclass(kind, VocabsegError)
    return (kind if known else EngineError)(error["message"])


def death(action: str, job: dict[str, Any], code: int, said: str) -> str:
    """Why a worker may have died."""
    what = f"the {action} of {os.path.basename(job['graph'])}" if "graph" in job else f"the {action}"
    if code == -signal.SIGKILL:
        return (
            f"{what} was killed, most likely because memory ran out; stop other programs, add swap, "
            "or build with --low-memory and a smaller --batch"
        )
    last = " | ".join(said.strip().splitlines()[-_STDERR_LINES:])
    how = f"died of signal {-code}" if code < 0 else f"ended with code {code}"
    return f"{what} {how}: {last or 'it said nothing'}"
