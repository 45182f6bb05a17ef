#!/bin/sh
# The BCCD photographs as cells.dl reads them: a folder with a link to the photographs and a table of boxes for each
# list.
#
#   prepare.sh BCCD OUT      (BCCD holds Annotations, ImageSets, JPEGImages)
set -e
[ $# = 2 ] || { echo "usage: prepare.sh BCCD OUT" >&2; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$2"
ln -sfn "$(cd "$1" && pwd)/JPEGImages" "$2/images"
for list in train val test; do
  python3 "$here/../convert/voc_to_csv.py" "$1/Annotations" "$2/$list.csv" --classes RBC,WBC,Platelets --most 30 \
    --list "$1/ImageSets/Main/$list.txt"
done
