#!/bin/sh
# Strict numerics, the whole matrix: threads 1 2 3 4 8, x86-64, x86-64-v3 and native, fused or not, cache cold or warm, three
# runs of each: 180 for each model; and a library against the JIT. About 30 minutes of CPU time.
#   tests/campaigns/strict.sh [DLC]
exec "$(dirname "$0")/../strict.sh" "${1:-build/dlc}" --whole
