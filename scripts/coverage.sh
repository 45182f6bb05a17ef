#!/bin/sh
# coverage.sh [TESTS]: builds with coverage counters, runs every test (or those whose names fit the pattern) and prints lines
# and branches covered: room by room, in all, and the files in which something is missing. Generated parser code is left
# out, and the branches of dlc_assert, whose other side is a bug. Needs gcovr (Debian: gcovr).
set -eu
cd "$(dirname "$0")/.."
command -v gcovr >/dev/null || { echo "gcovr is missing: apt-get install gcovr" >&2; exit 1; }
cmake --preset coverage >/dev/null
cmake --build build-coverage -j "$(nproc)" >/dev/null
find build-coverage -name '*.gcda' -delete
if [ $# -gt 0 ]; then
  ctest --test-dir build-coverage -R "$1" | tail -n 3
else
  scripts/run-tests.sh build-coverage | tail -n 1
fi
gcovr --root . --object-directory build-coverage --exclude build-coverage --exclude tests --exclude-throw-branches \
  --exclude-branches-by-pattern '.*(dlc_assert|dlc_bug)\(.*' --gcov-ignore-parse-errors --json build-coverage/coverage.json
python3 scripts/coverage_rooms.py build-coverage/coverage.json
