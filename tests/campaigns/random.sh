#!/bin/sh
# Random graphs and programs: random.sh [BUILD] [COUNT] [SEED] [JOBS] (default: build, 10000, 1, 1). Seven tenths are graphs,
# three tenths `.dl` programs, each compiled three times; in processes of 250. What fails is printed with its seed
# (tests/random/README.md says how to make it small); then how often each op, pass and word of the standard library was
# used. Exit 1 where anything failed, or where something of ops.def occurs less than 200 times or no graph was changed by
# some pass.
set -e
cd "$(dirname "$0")/../.."
build=${1:-build} count=${2:-10000} seed=${3:-1} jobs=${4:-1}
check=$build/tests/random/random_check
logs=$(mktemp -d)
trap 'rm -rf "$logs"' EXIT
graphs=$((count * 7 / 10)) programs=$((count * 3 / 10))
parts() {  # kind, how many
  begin=0
  while [ "$begin" -lt "$2" ]; do
    n=$(($2 - begin)) && [ "$n" -gt 250 ] && n=250
    echo "$1 $n $((seed + begin))"
    begin=$((begin + 250))
  done
}
status=0
{ parts graphs "$graphs"; parts programs "$programs"; } |
  xargs -P "$jobs" -L 1 sh -c '"$0" --$2 $3 --seed $4 --runs 3 >"$1/$2-$4" 2>&1 ||
    { grep -hE "^(graph|program) [0-9]+:|^while|internal error" "$1/$2-$4"; exit 1; }' "$check" "$logs" || status=1
"$check" --join "$logs" --least 200 || status=1
echo "$graphs graphs and $programs programs from seed $seed on"
exit $status
