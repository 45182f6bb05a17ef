#!/bin/sh
# Builds with coverage counters, runs every test and prints lines and branches covered, file by file and in all.
# Generated parser code is left out. Needs gcovr (Debian: gcovr).
set -eu
cd "$(dirname "$0")/.."
command -v gcovr >/dev/null || { echo "gcovr is missing: apt-get install gcovr" >&2; exit 1; }
cmake --preset coverage >/dev/null
cmake --build build-coverage -j "$(nproc)" >/dev/null
find build-coverage -name '*.gcda' -delete
scripts/run-tests.sh build-coverage | tail -n 1
for what in "" "--branches"; do
  gcovr --root . --object-directory build-coverage --exclude build-coverage --exclude tests --exclude-throw-branches --gcov-ignore-parse-errors $what \
    --sort-percentage
done
