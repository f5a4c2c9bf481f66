"""Fixtures of more than one test file."""

from __future__ import annotations

import numpy as np
import pytest


@pytest.fixture
def bundle(tmp_path):
    """The tiny bundle, opened by the compiled core."""
    pytest.importorskip("onnx", reason="needs the extra: test")
    from tiny_bundle import write_tiny_bundle
    from vocabseg import _core

    return _core.Bundle.open(str(write_tiny_bundle(tmp_path / "tiny")))


@pytest.fixture
def segmenter(bundle):
    """The compiled core's segmenter of the tiny bundle, which tells red, green and blue apart."""
    from tiny_bundle import BLUE, GREEN, RED
    from vocabseg import _core

    segmenter = _core.Segmenter(bundle, "auto", 2, "float32")
    segmenter.set_vocabulary(np.arange(3, dtype=np.int32), 3, [], np.stack([RED, GREEN, BLUE]))
    return segmenter
