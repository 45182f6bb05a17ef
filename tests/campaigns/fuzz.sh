#!/bin/sh
# fuzz.sh [EXECUTIONS] [TARGETS]: every fuzzer (or those named) for so many inputs, 5,000,000 at first (the ONNX importer
# 2,000,000), under AddressSanitizer and UBSan. With MOST_SECONDS=N each stops after N seconds. Starts from the kept corpus
# and what earlier campaigns found; the small models of libonnx-testdata are the importer's seeds too. Prints a table; logs
# and inputs are in build-fuzz/campaign. What ends a fuzzer goes into tests/fuzz/corpus with its mending. To keep what is
# new: build-fuzz/tests/fuzz/fuzz_NAME -merge=1 tests/fuzz/corpus/NAME build-fuzz/campaign/NAME.
# Debian: clang-19 libclang-rt-19-dev.
set -u
cd "$(dirname "$0")/../.."
. tests/fuzz/common.sh
executions=${1:-}
[ $# -gt 0 ] && shift
names=${*:-$(fuzz_targets)}
fuzz_build build-fuzz || exit $?
folder=build-fuzz/campaign
mkdir -p $folder/log $folder/found

seeds_of() {
  echo "tests/fuzz/corpus/$1"
  [ "$1" = onnx ] || return 0
  mkdir -p $folder/seeds
  for model in /usr/share/libonnx-testdata/data/node/*/model.onnx; do
    [ -e "$model" ] && [ "$(stat -c %s "$model")" -lt 2000 ] && cp "$model" "$folder/seeds/$(basename "$(dirname "$model")").onnx"
  done
  echo $folder/seeds
}

value() { sed -n "s/^stat::$2: *//p" "$folder/log/$1"; }

row() {
  last=$(grep -E 'cov: ' "$folder/log/$1" | tail -n 1)
  printf '| %s | %s | %s | %s | %s | %s |\n' "$1" "$(value "$1" number_of_executed_units)" \
         "$(value "$1" average_exec_per_sec)" "$(echo "$last" | sed -n 's/.*corp: \([0-9]*\).*/\1/p')" \
         "$(echo "$last" | sed -n 's/.*cov: \([0-9]*\).*/\1/p')" "$(find $folder/found -name "$1-*" ! -name '*slow-unit*' | wc -l)"
}

echo '| target | executions | executions/s | corpus | edges | crashes |'
echo '| --- | --- | --- | --- | --- | --- |'
status=0
for name in $names; do
  runs=$executions
  [ -n "$runs" ] || { [ "$name" = onnx ] && runs=2000000 || runs=5000000; }
  mkdir -p "$folder/$name"
  # shellcheck disable=SC2046
  fuzz_run build-fuzz "$name" -runs="$runs" -max_total_time="${MOST_SECONDS:-0}" -seed="${SEED:-1}" \
           -artifact_prefix="$folder/found/$name-" "$folder/$name" $(seeds_of "$name") >"$folder/log/$name" 2>&1 || status=1
  row "$name"
done
exit $status
