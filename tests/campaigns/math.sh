#!/bin/sh
# The elementary functions over all 2^32 floats: errors, and the same bits on every instruction set (math.c).
#   tests/campaigns/math.sh [BUILD [NAME..]]
# BUILD is a configured release build ("build"); NAME.. are functions (exp log tanh sigmoid erf). THREADS: 2. Takes about
# 20 minutes of CPU time. Exit status 1 where a function misses its bound or two instruction sets differ.
set -u
cd "$(dirname "$0")/../.." || exit 2
build=${1:-build}
[ $# -gt 0 ] && shift
cmake --build "$build" --target campaign_math >/dev/null || exit 2
exec "$build/tests/campaign_math" "${THREADS:-2}" "$@"
