#!/bin/sh
# Sets up a fresh Debian or Ubuntu machine in .venv and segments the sample picture with the demo model.
set -eu
cd "$(dirname "$0")/.."
command -v python3 >/dev/null || sh scripts/packages.sh python3
python3 -c 'import ensurepip, sysconfig, pathlib as p; p.Path(sysconfig.get_path("include"), "Python.h").stat()' \
  2>/dev/null || sh scripts/packages.sh python3-venv python3-dev
sh scripts/packages.sh g++ nlohmann-json3-dev libhwy-dev
[ -x .venv/bin/python ] || python3 -m venv .venv
.venv/bin/python -m pip install --quiet --upgrade pip
.venv/bin/python -m pip install --quiet .
.venv/bin/vocabseg segment --sample --out labels.png --overlay overlay.png
