#!/bin/sh
# The long runs of examples/: trains each program to its end and prints what it reached beside what it must reach.
#   tests/campaigns/course.sh build/dlc FOLDER [NAME..]
# FOLDER holds the data, as examples/README.md names them; NAME.. are programs' names (all of them without). The runs lie in
# runs/course, or where OUT says; one that was stopped goes on, one that is finished is read. Exit status 1 where a number
# misses its bar.
set -u
dlc=$(realpath "$1") data=$(realpath "$2")
shift 2
chosen=" $* "
cd "$(dirname "$0")/../.." || exit 2
out=${OUT:-runs/course}
missed=0

# NAME FOLDER METRIC SIGN BAR: METRIC of the last epoch is to be at least (>=) or at most (<=) BAR.
course() {
  if [ "$chosen" != "  " ] && ! echo "$chosen" | grep -qF " $1 "; then return; fi
  begin=$(date +%s)
  mkdir -p "$out/$1"
  if ! "$dlc" train "examples/$2/$1.dl" --data "$data" --resume "$out/$1" >"$out/$1/output" 2>&1; then
    tail -n 3 "$out/$1/output"
    missed=1
    return
  fi
  reached=$(tail -n 1 "$out/$1/log.jsonl" | sed "s/.*\"$3\":\([^,}]*\).*/\1/")
  verdict=$(awk -v r="$reached" -v b="$5" -v s="$4" 'BEGIN { print (s == ">=" ? r >= b : r <= b) ? "ok" : "MISSED" }')
  [ "$verdict" = ok ] || missed=1
  printf '%-14s %-20s %-10s %s %-8s %-7s %6d s\n' "$1" "$3" "$reached" "$4" "$5" "$verdict" $(($(date +%s) - begin))
}

course lenet5       lenet            test.accuracy      '>=' 0.89
course lenet5-1998  lenet            test.accuracy      '>=' 0.85
course alexnet      alexnet          test.cross_entropy '<=' 3
course alexnet32    alexnet          test.accuracy      '>=' 0.75
course resnet20     resnet           test.accuracy      '>=' 0.85
course membranes    segmentation     valid.accuracy     '>=' 0.88
course espcn        super_resolution test.psnr          '>=' 33.96
exit $missed
