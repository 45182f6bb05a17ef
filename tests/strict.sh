#!/bin/sh
# Strict numerics: the SHA-256 of the weights after 200 steps is one for each model, whatever the number of threads, the
# instruction set, with and without fusion, with machine code from the cache or compiled anew, in every run, and where a
# library of dlc build trains instead.
#   tests/strict.sh DLC [--whole]
# Without --whole every value of each of these once or more; with it every combination, three times each
# (tests/campaigns/strict.sh). A line for each model: the hash and how many runs gave it. Exit status 1 where two hashes
# differ or where a run left a thread without work.
set -u
dlc=$(realpath "$1") whole=${2:-}
here=$(dirname "$(realpath "$0")")
inputs=$here/golden/e2e/Inputs/strict library=$here/golden/build/Inputs
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

fail() {
  echo "FAILED: $model $*"
  failed=1
}

hash_of() { sha256sum <"$1" | cut -d ' ' -f 1; }

# take HASH WHAT..: one more run's hash
take() {
  runs=$((runs + 1))
  [ -n "$hash" ] || hash=$1
  [ "$1" = "$hash" ] || fail "$@"
}

# train CACHE THREADS CPU FUSE: a run with the machine code that is kept in the folder CACHE
train() {
  cache=$1 threads=$2 cpu=$3 fuse=$4
  rm -rf "$work/run"
  if ! DLC_CACHE=$cache DLC_WORK=1 "$dlc" train "$inputs/$model.dl" --quiet --seed 5 --threads "$threads" --cpu "$cpu" \
    $fuse --out "$work/run" >/dev/null 2>"$work/err"; then
    fail "$@: $(head -n 3 "$work/err")"
    return
  fi
  take "$(hash_of "$work/run/step-00000200.safetensors")" "$@"
  # As many numbers as threads, and none of them 0.
  sed -n 's/^work items by thread: //p' "$work/err" |
    awk -v n="$threads" '{ for (k = 1; k <= NF; k++) idle += $k == 0; bad = NF != n } END { exit NR != 1 || idle || bad }' ||
    fail "$@: a thread did nothing: $(cat "$work/err")"
}

# TIMES cold and TIMES warm runs: cold ones have an empty cache each, warm ones that of the last.
runs_of() {
  times=$1
  shift
  for run in $(seq "$times"); do
    rm -rf "$work/cache"
    train "$work/cache" "$@"
  done
  [ -n "$(ls -A "$work/cache" 2>/dev/null)" ] || fail "$@: nothing was kept"
  for run in $(seq "$times"); do train "$work/cache" "$@"; done
}

everything() {
  for threads in 1 2 3 4 8; do
    for cpu in x86-64 x86-64-v3 native; do
      runs_of 3 $threads $cpu ""
      runs_of 3 $threads $cpu --no-fuse
    done
  done
}

something() {
  runs_of 1 1 native ""
  train "$work/cache" 8 native ""
  train "$work/cache" 8 native ""
  train off 2 x86-64-v3 --no-fuse
  train off 4 native --no-fuse
  train off 3 x86-64 ""
}

# The same network without what only dlc train does (chance in the order of rows and in their images), as compiled for this
# process and as a library of one thread and of four.
ahead_of_time() {
  drawn=$work/drawn.dl files=$work/$model.dl upper=$(echo "$model" | tr a-z A-Z)
  sed '/augment/d; s/count = [0-9]*/count = 64/; s/^  batch .*/  batch     = 16\n  shuffle   = false/' "$inputs/$model.dl" >"$drawn"
  sed 's/^  train = .*/  train { image = npy("x.npy")  label = npy("l.npy") }/' "$drawn" >"$files"
  "$dlc" init "$drawn" -o "$work/first" --quiet && "$dlc" predict "$drawn" --weights "$work/first" --split train \
    --output "image=$work/x.npy,label=$work/l.npy" --quiet && ${PYTHON:-python3} "$inputs/bytes.py" "$work" ||
    fail "the data as files"
  rm -rf "$work/run"
  "$dlc" train "$files" --quiet --seed 5 --out "$work/run" >/dev/null || fail "the data from files"
  jit=$(hash_of "$work/run/step-00000200.safetensors")
  "$dlc" build "$files" --train -o "$work/$model" --quiet || fail "dlc build"
  ${CC:-cc} -O1 -I"$work" -DHEADER="\"$model.h\"" -DNAME="$model" -DUPPER="$upper" -DSHAPE='"28, 28, 1"' \
    "$library/train.c" "$work/$model.o" -lm -pthread -o "$work/host" || fail "the host program"
  for threads in 1 4; do
    "$work/host" "$work/x.bin" "$work/l.bin" "$work/built" 16 200 $threads || fail "a library, $threads threads"
    [ "$(hash_of "$work/built")" = "$jit" ] || fail "a library, $threads threads: other weights"
  done
}

for model in lenet5 residual formula; do
  hash='' runs=0
  if [ "$whole" = --whole ]; then everything; else something; fi
  echo "$model: $hash in $runs runs"
  ahead_of_time
  echo "$model, in order, without augmentation: $jit by the JIT and by a library of 1 and 4 threads"
done
[ $failed = 0 ]
