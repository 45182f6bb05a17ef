#!/bin/sh
# symbols.sh DLC: with DLC_SYMBOLS=1 perf and gdb name the compiled kernels. What is missing here, or may not look at other
# processes, is left out; exit 77 (skipped) where that leaves only the map file.
set -u
dlc=$1
program=$(dirname "$0")/golden/driver/Inputs/explain_net.dl
folder=$(mktemp -d)
trap 'rm -rf "$folder"; rm -f /tmp/perf-${pid:-none}.map' EXIT
export DLC_SYMBOLS=1
fail() { echo "symbols.sh: $1"; cat "$folder"/out* 2>/dev/null; exit 1; }

"$dlc" bench "$program" --seconds 0.01 >"$folder/out" 2>&1 &
pid=$!
wait $pid || fail "dlc bench failed"
grep -Eq '^[0-9a-f]+ [1-9a-f][0-9a-f]* dlc_conv2d_1_relu$' /tmp/perf-$pid.map || fail "no dlc_conv2d_1_relu in the map"
rm -f /tmp/perf-$pid.map
DLC_SYMBOLS=0 "$dlc" bench "$program" --seconds 0.01 >"$folder/out" 2>&1 & pid=$!
wait $pid
[ ! -e /tmp/perf-$pid.map ] || fail "a map that nobody asked for"

tools=0
if command -v gdb >/dev/null && gdb -batch -ex run -ex bt --args true >"$folder/out.gdb" 2>&1 && grep -q 'exited normally' "$folder/out.gdb"; then
  tools=$((tools + 1))
  gdb -q -batch -ex 'set breakpoint pending on' -ex 'break dlc_conv2d_1_relu' -ex run -ex 'bt 1' -ex kill \
      --args "$dlc" bench "$program" --seconds 0.01 --threads 1 >"$folder/out.gdb" 2>&1
  grep -q '^#0 .*dlc_conv2d_1_relu' "$folder/out.gdb" || fail "gdb does not stop in dlc_conv2d_1_relu"
  rm -f "/tmp/perf-$(sed -n 's/.*(process \([0-9]*\)) killed.*/\1/p' "$folder/out.gdb").map"
fi
if command -v perf >/dev/null && perf record -e cpu-clock -o "$folder/try" true >"$folder/out.perf" 2>&1; then
  tools=$((tools + 1))
  perf record -e cpu-clock -F 2000 -o "$folder/data" "$dlc" bench "$program" --seconds 0.3 --threads 1 --batch 512 >"$folder/out.perf" 2>&1
  perf report -i "$folder/data" --sort symbol --stdio 2>/dev/null >"$folder/out.perf"
  grep -q 'dlc_' "$folder/out.perf" || fail "perf names no kernel"
  for map in $(perf script -i "$folder/data" -F pid 2>/dev/null | sort -un); do rm -f "/tmp/perf-$map.map"; done
fi
[ $tools -gt 0 ] || { echo "skipped: neither gdb nor perf can be used here"; exit 77; }
