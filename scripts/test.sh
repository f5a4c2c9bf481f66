#!/bin/sh
# Builds the project in .venv with its test extra, then runs the Python and the C++ tests.
# Arguments go to pytest: scripts/test.sh -m slow
set -eu
cd "$(dirname "$0")/.."
command -v python3 >/dev/null || sh scripts/packages.sh python3
python3 -c 'import ensurepip, sysconfig, pathlib as p; p.Path(sysconfig.get_path("include"), "Python.h").stat()' \
  2>/dev/null || sh scripts/packages.sh python3-venv python3-dev
sh scripts/packages.sh g++ cmake make nlohmann-json3-dev libhwy-dev libgtest-dev libpng-dev
[ -x .venv/bin/python ] || python3 -m venv .venv
.venv/bin/python -m pip install --quiet --upgrade pip
.venv/bin/python -m pip install --quiet '.[test]'
.venv/bin/python -m ruff check .
.venv/bin/python -m mypy
.venv/bin/python -m pytest "$@"
