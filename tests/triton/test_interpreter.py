"""Runs the ops' tests, and those in interpreted/, with the kernels in Triton's interpreter.

In processes of their own: the interpreter must be chosen before Triton is imported, and nothing else may run in it.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="needs the extra: test")
pytest.importorskip("triton", reason="needs the extra: triton")

from vocabseg.kernels.aot import catalogue

HERE = Path(__file__).parent


def run_interpreted(*arguments: str, **variables: str) -> int:
    """The number of tests that passed; none may fail or be skipped."""
    paths = [str(HERE), str(HERE.parent), str(HERE.parent / "ops"), os.environ.get("PYTHONPATH", "")]
    environment = os.environ | {"TRITON_INTERPRET": "1", "PYTHONPATH": os.pathsep.join(paths)} | variables
    command = [sys.executable, "-m", "pytest", "-q", "-p", "guard", "-p", "no:cacheprovider", *arguments]
    result = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout[-6000:] + result.stderr[-2000:]
    summary = result.stdout.strip().splitlines()[-1]
    assert "skipped" not in summary, summary
    found = re.search(r"(\d+) passed", summary)
    assert found, summary
    return int(found[1])


def test_kernels_of_their_own() -> None:
    assert run_interpreted(str(HERE / "interpreted")) > 0


# Threads mean nothing to a GPU, and what takes the interpreter longest meets no block, loop or branch that the rest of
# its test does not.
LEFT_OUT = " or ".join(
    [
        "thread_count",
        "(test_attention and (shape4 or shape5 or grid2 or grid5 or grid6))",
        "(test_irregular_patches and resized and not nan)",
        "(test_many_queries and not overlap-scores_for-171)",
        "(test_many_regions and int64)",
        "(test_many_steps and not size2-1)",
    ]
)
OPS = sorted(path.parent.name for path in catalogue.FOLDER.glob("*/triton.py"))
QUICK = "patch_text_similarity"  # in every run; the others take minutes


@pytest.mark.parametrize(
    "folder", [pytest.param(folder, marks=[] if folder == QUICK else pytest.mark.slow) for folder in OPS]
)
def test_op(folder) -> None:
    """The same tests as every other implementation."""
    passed = run_interpreted(str(HERE.parent / "ops"), "-k", f"{folder}/triton and not ({LEFT_OUT})")
    assert passed > 20


@pytest.mark.parametrize(
    "folder", [pytest.param(folder, marks=[] if folder == QUICK else pytest.mark.slow) for folder in OPS]
)
def test_op_on_tensors(folder) -> None:
    """The same tests as they run on a GPU, arguments and results being tensors."""
    chosen = f"{folder}/triton and not ({LEFT_OUT})"
    arguments = (str(HERE.parent / "ops"), "-p", "pretended_gpu", "-k", chosen)
    assert run_interpreted(*arguments, VOCABSEG_TEST_DEVICE="cuda:0") > 20
