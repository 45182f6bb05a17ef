# go_on.sh PROGRAM STOPPED WHOLE: runs the stopped run 13 steps further, another one that far without a stop; compares.
set -e
last=$(ls "$2" | sed -n 's/^step-0*\([1-9][0-9]*\)\.run$/\1/p' | sort -n | tail -n 1)
steps=$((last + 13))
dlc train "$1" --quiet --steps $steps --resume "$2"
dlc train "$1" --quiet --steps $steps --set "checkpoint=every(epochs = 1000000)" --out "$3"
name=$(printf 'step-%08d' $steps)
cmp "$2/$name.safetensors" "$3/$name.safetensors"
cmp "$2/$name.run" "$3/$name.run"
