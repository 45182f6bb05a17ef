# Sourced by the scripts that run fuzzers: how they are built and how they are started. The sourcing script stands in the
# project's root.

fuzz_targets() { for file in tests/fuzz/target_*.c; do basename "$file" .c | sed 's/target_//'; done; }

# fuzz_build DIR: the fuzzers under AddressSanitizer and UBSan, in DIR; quiet unless it fails. 77 where clang or its
# runtime is missing (Debian: clang-19 libclang-rt-19-dev).
fuzz_build() {
  clang=
  for version in 19 20 21 22 18 ""; do
    name=clang${version:+-$version}
    command -v "$name" >/dev/null || continue
    library=$("$name" -print-runtime-dir 2>/dev/null || true)
    for file in "$library"/libclang_rt.fuzzer*.a "$("$name" -print-resource-dir)"/lib/linux/libclang_rt.fuzzer-*.a; do
      [ -e "$file" ] && clang=$name && break 2
    done
  done
  if [ -z "$clang" ]; then
    echo "no clang with libFuzzer (Debian: clang-19 libclang-rt-19-dev): the fuzzers are not run" >&2
    return 77
  fi
  launcher=
  command -v ccache >/dev/null && launcher=-DCMAKE_C_COMPILER_LAUNCHER=ccache
  mkdir -p "$1"
  if ! { cmake -S . -B "$1" -DCMAKE_C_COMPILER=$clang $launcher -DCMAKE_BUILD_TYPE=Release -DDLC_WERROR=OFF -DDLC_FUZZ=ON \
               -DDLC_SANITIZE=address,undefined && cmake --build "$1" -j2 --target fuzzers; } >"$1/build.log" 2>&1; then
    tail -n 40 "$1/build.log" >&2
    return 1
  fi
}

# Bytes of an input at most: enough for every construct, and few enough to be fast.
fuzz_length() {
  case $1 in
    onnx) echo 4096 ;;
    cifar) echo 128 ;;
    csv | idx | npy) echo 512 ;;
    checkpoint | ir | program | syntax) echo 1536 ;;
    *) echo 1024 ;;
  esac
}

# fuzz_run BUILD NAME FLAGS AND FOLDERS..: one fuzzer. The harness bounds an input's processor time to a second; -timeout is
# for what never ends. No allocation may be larger than 64 MB.
fuzz_run() {
  fuzz_build_folder=$1 fuzz_name=$2
  shift 2
  dictionary=tests/fuzz/dict/$fuzz_name.dict
  [ -e "$dictionary" ] && set -- "-dict=$dictionary" "$@"
  ASAN_OPTIONS=allocator_may_return_null=1:quarantine_size_mb=8 "$fuzz_build_folder/tests/fuzz/fuzz_$fuzz_name" \
    -max_len="$(fuzz_length "$fuzz_name")" -timeout=120 -malloc_limit_mb=64 -rss_limit_mb=1024 -report_slow_units=100000 -print_final_stats=1 "$@"
}
