"""Importing vocabseg is fast, loads nothing heavy, and says nothing."""

from __future__ import annotations

import subprocess
import sys

import pytest

import vocabseg

HEAVY = ("torch", "cv2", "triton", "tensorrt", "openvino", "vocabseg._core", "numpy", "PIL")
BUDGET_SECONDS = 0.2

CODE = f"""
import sys, time
start = time.perf_counter()
import vocabseg
elapsed = time.perf_counter() - start
assert not [name for name in {HEAVY} if name in sys.modules]
print(elapsed)
"""

USE_CODE = """
import sys
import vocabseg
vocabseg.Segmenter, vocabseg.Vocabulary, vocabseg.Segmentation, vocabseg.RegionLabels
vocabseg.Vocabulary.parse("road; car")
loaded = [name for name in ("torch", "cv2", "triton", "tensorrt") if name in sys.modules]
assert not loaded, loaded
"""


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_import_is_fast_and_light() -> None:
    fastest = min(float(run(CODE)) for _ in range(3))  # the machine may be busy with something else
    assert fastest < BUDGET_SECONDS


def test_use_loads_no_training_framework() -> None:
    assert run(USE_CODE) == ""


def test_exports() -> None:
    assert {"Segmenter", "Vocabulary", "Segmentation", "RegionLabels"} <= set(dir(vocabseg))
    for name in vocabseg.__all__:
        if name not in ("clip", "methods", "ops"):
            assert getattr(vocabseg, name) is not None
    with pytest.raises(AttributeError, match="nothing"):
        vocabseg.nothing  # noqa: B018
