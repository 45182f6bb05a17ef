#!/bin/sh
# package.sh BUILD SOURCE: what cmake --install puts in place works from there: the program, the library by pkg-config, the
# manual page. Exit 77 (skipped) where pkg-config or g++ is missing.
set -eu
build=$1 source=$2
command -v pkg-config >/dev/null && command -v c++ >/dev/null || { echo "skipped: pkg-config or c++ is missing"; exit 77; }
grep -qE "__[at]san_init" "$build/libdlc.so" && { echo "skipped: built with a sanitizer"; exit 77; }
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cmake --install "$build" --prefix "$place" >/dev/null
cd "$place"
bin/dlc --version | grep -q '^dlc [0-9.]* (LLVM [0-9.]*, .*)$'
test -s share/man/man1/dlc.1 && test -s share/bash-completion/completions/dlc && test -s share/doc/dlc/docs/language.md
if command -v groff >/dev/null; then test -z "$(groff -man -Tutf8 -ww share/man/man1/dlc.1 2>&1 >/dev/null)"; fi
bin/dlc init "$source/examples/embed/lenet5.dl" -o w.safetensors
export PKG_CONFIG_PATH="$place/lib/pkgconfig"
test "$(pkg-config --modversion dlc)" = "$(bin/dlc --version | cut -d' ' -f2)"
c++ -std=c++17 $(pkg-config --cflags dlc) "$source/examples/embed/compile.cpp" $(pkg-config --libs dlc) -Wl,-rpath,"$place/lib" -o compile
./compile "$source/examples/embed/lenet5.dl" w.safetensors "$source/examples/embed/digits/3.pgm" | grep -q '^lenet5(image), 10 parameters$'
