"""Tests in interpreted/ need TRITON_INTERPRET=1 before Triton is imported; test_interpreter.py starts them."""

from __future__ import annotations

import os

collect_ignore = [] if os.environ.get("TRITON_INTERPRET") == "1" else ["interpreted"]
