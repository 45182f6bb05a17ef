#!/bin/sh
# sanitize.sh [FOLDER]: builds dlc with AddressSanitizer and UBSan in FOLDER (build-asan), sends every program of the tests
# and examples through `dlc check`, and runs a handful of whole commands. Fails on any report of a sanitizer and on any exit
# status that dlc does not give on purpose.
set -u
cd "$(dirname "$0")/.." || exit 1
build=${1:-build-asan}
# With clang of LLVM's version compiled kernels are instrumented too.
clang=clang-19
echo 'int main(void) { return 0; }' | $clang -fsanitize=address,undefined -x c -o /dev/null - 2>/dev/null || clang=cc
cmake -S . -B "$build" -DCMAKE_BUILD_TYPE=Debug -DCMAKE_C_COMPILER=$clang -DCMAKE_C_FLAGS_DEBUG="-O1 -g" \
  -DDLC_SANITIZE=address,undefined >/dev/null || exit 1
make -C "$build" -j2 dlc >/dev/null || exit 1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# A size that a file lies about must come back from malloc as NULL, not as a report. 86: a status that dlc never gives.
export ASAN_OPTIONS=detect_leaks=1:allocator_may_return_null=1:exitcode=86 UBSAN_OPTIONS=print_stacktrace=1:exitcode=86
passed=0 failed=0

# try STATUSES COMMAND..: one of these statuses, and no report
try() {
  allowed=$1
  shift
  timeout 300 "$build/dlc" "$@" >"$work/out" 2>"$work/err"
  status=$?
  if case " $allowed " in *" $status "*) true ;; *) false ;; esac &&
     ! grep -qE 'runtime error:|Sanitizer' "$work/err"; then
    passed=$((passed + 1))
    return
  fi
  failed=$((failed + 1))
  echo "FAILED: dlc $* (status $status)"
  grep -nE -A12 'runtime error:|Sanitizer' "$work/err" | head -n 30
}

for program in $(find tests/golden examples tests/peers -name '*.dl' | sort); do
  try "0 1 3" check "$program"
done

tiny=tests/golden/train-run/Inputs/tiny.dl wild=tests/golden/bad/Inputs/wild.dl net=tests/golden/e2e/Inputs/norm_net.dl
try 0 train $tiny --out "$work/tiny" --threads 3
try 0 train $tiny --steps 20 --resume "$work/tiny" --set epochs=5 --threads 1
try 0 train $net --out "$work/net" --steps 7 --set 'checkpoint=every(steps = 2)'
try 0 train $net --out "$work/plain" --steps 2 --no-fuse --cpu x86-64-v3
try 6 train $wild --out "$work/wild"
try 5 train $wild --out "$work/limit" --memory-limit 1K
try 0 init $net -o "$work/w"
try 0 eval $net --weights "$work/w" --split test --json
try 0 eval $net --weights "$work/net/step-00000007.safetensors" --split train
${PYTHON:-python3} tests/golden/e2e/Inputs/make_images.py "$work/x.npy" 70
try 0 predict $net --weights "$work/w" --input image="$work/x.npy" --output "$work/y.npy" --batch 32
try 3 predict $net --weights "$work/x.npy" --input image="$work/x.npy" --output "$work/y.npy"
make="${PYTHON:-python3} tests/golden/bad/Inputs/make.py"
$make "$work/p.npy" 'npy:<f4:2, 2' zeros:16 && $make "$work/l.npy" 'npy:<i8:2, 2' i64:0:2:1:0
try 0 grad tests/golden/bad/Inputs/pixels.dl --input x="$work/p.npy,label=$work/l.npy" -o "$work/g"
try 0 grad tests/golden/bad/Inputs/pixels.dl --input x="$work/p.npy,label=$work/l.npy" -o "$work/g" --oracle
try 0 grad examples/backprop/gradient.dl --at x=-2,y=5,z=-4 --check
try 0 grad examples/backprop/norm.dl --at 'W=[[0.1,0.5],[-0.3,0.8]],x=[0.2,0.4]'
try 0 grad examples/backprop/rectifier.dl --at x=normal --batch 10 --jacobian -o "$work/g.dot"
try 0 grad examples/backprop/vector_sum.dl --at 'x=[1,2,3],y=[4,5,6]' --jacobian --dot
try 0 graph examples/resnet/resnet20.dl --depth 2
try 0 report "$work/tiny" -o "$work/r.html"
try 0 report "$work/tiny" "$work/net" -o "$work/r.svg"
for program in healthy infinite unreached zeros; do try '0 1' doctor tests/golden/lessons/Inputs/doctor/$program.dl; done
try 0 bench examples/lenet/lenet5.dl --mode train --batch 3 --seconds 0.2
for stage in tokens ast ir grad fused loops plan llvm asm; do try 0 dump examples/resnet/resnet20.dl --stage $stage --mode train; done

echo "$passed passed, $failed failed"
[ $failed = 0 ]
