#!/bin/sh
# Builds the library and its C++ tests for 64-bit Arm and runs them under qemu.
# Arguments: the build folder, then options of ctest that choose tests. OPTIMISATION=1 compiles in less time.
set -eu
cd "$(dirname "$0")/.."
build=${1:-build/aarch64}
[ $# -eq 0 ] || shift
sh scripts/packages.sh cmake ninja-build g++-aarch64-linux-gnu qemu-user nlohmann-json3-dev googletest
# The host's /usr/include must not be searched; these headers in it are the same for every machine.
mkdir -p "$build/include"
ln -sfn /usr/include/nlohmann "$build/include/nlohmann"
cmake -G Ninja -S . -B "$build" -DCMAKE_TOOLCHAIN_FILE="$PWD/cpp/cmake/toolchains/aarch64-linux-gnu.cmake" \
  -DNLOHMANN_JSON_INCLUDE_DIR="$(realpath "$build")/include" -DVOCABSEG_FETCH_HIGHWAY=ON -DVOCABSEG_OPENVINO=OFF \
  -DVOCABSEG_EXAMPLES=OFF -DVOCABSEG_WARNINGS_AS_ERRORS=ON -DCMAKE_CXX_FLAGS_RELEASE="-O${OPTIMISATION:-3} -DNDEBUG"
cmake --build "$build"
ctest --test-dir "$build" --output-on-failure --no-tests=error "$@"
