"""The launches that the C++ tests of the frame on the device expect are those of the ops' host code."""

from __future__ import annotations

import frame_launches


def test_the_recorded_launches_are_current() -> None:
    assert frame_launches.PATH.read_text() == frame_launches.text(), "run: python tests/frame_launches.py"
