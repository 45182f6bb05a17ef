#!/bin/sh
# run-tests.sh BUILD: every test; the last line is "N passed, N failed[, N skipped]", counted test by test.
set -u
build=$1
log=$(mktemp)
trap 'rm -f "$log"' EXIT
ctest --test-dir "$build" --verbose >"$log" 2>&1
status=$?

# cmocka and lit count their own tests; a program that dies before its summary counts as one failure. Other ctests (scripts)
# count as one each.
awk '
  function base(line) { sub(/^[0-9]+: /, "", line); return line }
  { text = base($0) }
  text ~ /^\[  PASSED  \] [0-9]+ test/   { split(text, w, " "); passed += w[4] }
  text ~ /^\[  FAILED  \] [0-9]+ test/   { split(text, w, " "); failed += w[4] }
  text ~ /^\[  SKIPPED \] [0-9]+ test/   { split(text, w, " "); skipped += w[4] }
  text ~ /^ *Passed *: [0-9]+/           { sub(/.*: /, "", text); passed += text }
  text ~ /^ *(Failed|Timed Out|Unresolved|Unexpectedly Passed) *: +[0-9]+/ { sub(/.*: /, "", text); failed += text }
  text ~ /^ *(Unsupported|Skipped) *: +[0-9]+/ { sub(/.*: /, "", text); skipped += text }
  /^ *[0-9]+\/[0-9]+ Test +#[0-9]+: .*Not Run/ { failed++ }
  /^ *[0-9]+\/[0-9]+ Test +#[0-9]+: script_/ { if (/Passed/) passed++; else if (/Skipped/) skipped++; else failed++ }
  END {
    if (status != 0 && failed == 0) failed = 1
    line = sprintf("%d passed, %d failed", passed, failed)
    if (skipped) line = line sprintf(", %d skipped", skipped)
    print line > "/dev/fd/3"
  }' status=$status "$log" 3>"$log.sum"

# What failed is shown whole; what passed, a line each.
grep -E '^ *[0-9]+/[0-9]+ Test' "$log"
if [ $status -ne 0 ]; then
  grep -vE '\[ RUN      \]|\[       OK \]|PASS: ' "$log" | tail -n 400
fi
cat "$log.sum"
rm -f "$log.sum"
exit $status
