#!/bin/sh
# The long runs of examples/: trains each program to its end, on real data where there is some, and prints what it reached
# beside what it must reach, cheap ones first.
#   tests/campaigns/course.sh build/dlc FOLDER [NAME..]
# FOLDER holds the data, as examples/README.md names them; NAME.. are runs' names, the first column (all of them without).
# The runs lie in runs/course, or where OUT says; one that was stopped goes on, one that is finished is read. Exit status 1
# where a number misses its bar or a run fails.
set -u
[ $# -ge 2 ] || { sed -n '2,7s/^# *//p' "$0"; exit 2; }
dlc=$(realpath "$1") data=$(realpath "$2")
shift 2
chosen=" $* "
cd "$(dirname "$0")/../.." || exit 2
out=${OUT:-runs/course}
missed=0

is_chosen() { [ "$chosen" = "  " ] || echo "$chosen" | grep -qF " $1 "; }

# NAME PROGRAM DATA: trains into $out/NAME/run; sets weights to the last ones.
train() {
  mkdir -p "$out/$1"
  if ! "$dlc" train "examples/$2" --data "$3" --resume "$out/$1/run" >"$out/$1/output" 2>&1; then
    tail -n 3 "$out/$1/output"
    missed=1
    return 1
  fi
  weights=$(ls "$out/$1/run"/step-*.safetensors | tail -n 1)
}

# NAME METRIC VALUE SIGN BAR: a line of the table.
row() {
  verdict=$(awk -v r="$3" -v b="$5" -v s="$4" 'BEGIN { print (r != "" && (s == ">=" ? r >= b : r <= b)) ? "ok" : "MISSED" }')
  [ "$verdict" = ok ] || missed=1
  printf '%-14s %-28s %-8s %s %-8s %s\n' "$1" "$2" "$(printf %.4g "$3")" "$4" "$(printf %.4g "$5")" "$verdict"
}

# NAME METRIC: of the last epoch.
last() { tail -n 1 "$out/$1/run/log.jsonl" | sed -n "s/.*\"$2\":\([^,}]*\).*/\1/p"; }

# NAME PROGRAM METRIC SIGN BAR: METRIC of the last epoch is to be at least (>=) or at most (<=) BAR.
course() {
  is_chosen "$1" && train "$1" "$2" "$data" || return
  row "$1" "$3" "$(last "$1" "$3")" "$4" "$5"
}

# NAME PROGRAM DATA BAR: mean average precision over the test split, and that of an average box a cell.
detection() {
  is_chosen "$1" && train "$1" "$2" "$3" || return
  "$dlc" predict "examples/$2" --quiet --data "$3" --weights "$weights" --split test \
    --output "score=$out/$1/s.npy,box=$out/$1/b.npy,boxes=$out/$1/t.npy,image=$out/$1/i.npy" || { missed=1; return; }
  set -- "$1" "$4" "$out/$1/s.npy" "$out/$1/b.npy" "$out/$1/t.npy"
  table=$(python3 examples/detection/score.py "$3" "$4" "$5" --draw "$out/$1/boxes.svg" --images "$out/$1/i.npy")
  row "$1" "mean average precision" "$(echo "$table" | awk '/^mean/ { print $2 }')" '>=' "$2"
  table=$(python3 examples/detection/score.py "$3" "$4" "$5" --average)
  row "$1" "  of an average box a cell" "$(echo "$table" | awk '/^mean/ { print $2 }')" '<=' 0.05
}

detection shapes detection/shapes.dl "$data" 0.9
course scenes depth/scenes.dl test.loss '<=' 0.165
is_chosen scenes && row scenes "  of predicting the mean" "$(last scenes test.mean_instead)" '>=' 0.32
course rooms depth/rooms.dl train.loss '<=' 1
if is_chosen points; then
  mkdir -p "$out/points/data"
  python3 examples/boxes3d/make_points.py "$out/points/data"
  train points boxes3d/points.dl "$out/points/data" && row points "mean IoU" "$(last points test.shared)" '>=' 0.5
  python3 examples/convert/kitti_to_npy.py "$data/kitti-mini/data/object/training" "$out/points/kitti" --points 130000
  python3 examples/boxes3d/draw.py "$out/points/kitti/points.npy" "$out/points/kitti.svg" "$out/points/kitti/boxes.npy" \
    --metres 32 && row points "frames of KITTI drawn" "$(grep -o '<image' "$out/points/kitti.svg" | wc -l)" '>=' 3
fi
if is_chosen cells; then
  mkdir -p "$out/cells/data"
  sh examples/detection/prepare.sh "$data/bccd/BCCD" "$out/cells/data"
  detection cells detection/cells.dl "$out/cells/data" 0.5
fi
if is_chosen pose && train pose pose/pose.dl "$data"; then
  usual=$(last pose test.usual20)
  row pose "PCK at 0.2" "$(last pose test.pck20)" '>=' "$(awk -v u="$usual" 'BEGIN { print 1.5 * u }')"
  row pose "  of the mean pose" "$usual" '<=' 0.2
fi
course membranes   segmentation/membranes.dl valid.accuracy     '>=' 0.88
course espcn       super_resolution/espcn.dl test.psnr          '>=' 33.96
course lenet5-1998 lenet/lenet5-1998.dl      test.accuracy      '>=' 0.85
course lenet5      lenet/lenet5.dl           test.accuracy      '>=' 0.89
course alexnet     alexnet/alexnet.dl        test.cross_entropy '<=' 3
course resnet20    resnet/resnet20.dl        test.accuracy      '>=' 0.85
course alexnet32   alexnet/alexnet32.dl      test.accuracy      '>=' 0.75
exit $missed
