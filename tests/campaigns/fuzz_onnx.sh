#!/bin/sh
# The ONNX importer under libFuzzer, AddressSanitizer and UBSan: fuzz_onnx.sh [RUNS] (default 2,000,000). Seeds: the kept
# corpus and the small models of libonnx-testdata. What it finds is left in build-fuzz/; a crash goes into tests/fuzz/onnx
# with its mending. Debian: clang-19 libclang-rt-19-dev.
set -e
cd "$(dirname "$0")/../.."
runs=${1:-2000000}
mkdir -p build-fuzz/corpus build-fuzz/seeds build-fuzz/crash
cmake -S . -B build-fuzz -DCMAKE_C_COMPILER=clang-19 -DCMAKE_BUILD_TYPE=Release -DDLC_WERROR=OFF -DDLC_FUZZ=ON \
      -DDLC_SANITIZE=address,undefined >build-fuzz/build.log
cmake --build build-fuzz -j2 --target fuzz_onnx >>build-fuzz/build.log
cp tests/fuzz/onnx/*.onnx build-fuzz/seeds/
for model in /usr/share/libonnx-testdata/data/node/*/model.onnx; do
  [ -e "$model" ] && [ "$(stat -c %s "$model")" -lt 2000 ] && cp "$model" "build-fuzz/seeds/$(basename "$(dirname "$model")").onnx"
done
cd build-fuzz
exec ./fuzz_onnx -runs="$runs" -max_len=4096 -timeout=10 -rss_limit_mb=1024 -print_final_stats=1 -artifact_prefix=crash/ \
     corpus seeds
