"""The C++ core for 64-bit Arm: built with Debian's cross compiler, run under qemu. Installs Debian packages."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

pytestmark = pytest.mark.skipif(
    shutil.which("dpkg-query") is None, reason="needs Debian's or Ubuntu's cross compiler"
)


def build_and_test(folder: Path, *choice: str, optimisation: str = "3") -> str:
    command = ["sh", "scripts/aarch64.sh", str(folder), *choice]
    variables = {**os.environ, "OPTIMISATION": optimisation}
    done = subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-6000:]
    assert "100% tests passed" in done.stdout
    return done.stdout


def test_every_test_passes_on_neon_and_on_plain_cpp(tmp_path) -> None:
    """All but those of peak memory, of which one takes minutes under qemu."""
    printed = build_and_test(tmp_path, "--verbose", "--tests-regex", "^every_target$", optimisation="1")
    assert re.findall(r"Instruction set: (\w+)", printed) == ["NEON", "SCALAR"]


@pytest.mark.slow
def test_each_test_passes_by_itself(tmp_path) -> None:
    """As ctest runs them on other machines: each in a process of its own, peak memory too."""
    build_and_test(tmp_path)
