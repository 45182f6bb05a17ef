#!/bin/sh
# The whole test suite under AddressSanitizer with UBSan, then under ThreadSanitizer, compiled kernels instrumented too
# (codegen/instrument.c). Needs clang of LLVM's version and its runtime (Debian: clang-19, libclang-rt-19-dev).
#   tests/campaigns/sanitizers.sh [asan|tsan [CTEST_ARGUMENT..]]
# Without arguments both, each whole. Builds are build-asan and build-tsan. Exit status 1 where a test fails; a report of a
# sanitizer ends the program with a status that dlc never gives, so that its test fails.
set -u
cd "$(dirname "$0")/../.." || exit 2
tools=/usr/lib/llvm-19/bin
export ASAN_SYMBOLIZER_PATH=$tools/llvm-symbolizer TSAN_SYMBOLIZER_PATH=$tools/llvm-symbolizer
# A size that a file lies about must come back from malloc as NULL, not as a report.
export ASAN_OPTIONS=detect_leaks=1:allocator_may_return_null=1:exitcode=86
export UBSAN_OPTIONS=print_stacktrace=1:exitcode=86
export TSAN_OPTIONS=suppressions=$PWD/tests/tsan.supp:allocator_may_return_null=1:halt_on_error=1:exitcode=86
failed=0

run() {
  preset=$1
  shift
  cmake --preset "$preset" >/dev/null && cmake --build "build-$preset" -j2 >/dev/null || exit 2
  echo "== $preset"
  ctest --test-dir "build-$preset" --output-on-failure "$@" || failed=1
}

case ${1:-both} in
  both) run asan && run tsan ;;
  asan | tsan) run "$@" ;;
  *) sed -n '2,7s/^# *//p' "$0" && exit 2 ;;
esac
exit $failed
