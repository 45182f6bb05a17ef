# Sourced by ./run and ./test: what a Debian 12 machine needs, and the build.

# LLVM 19 is the default; another version from 18 to 22 that is already there will do.
LLVM_VERSION_WANTED=19
for version in 19 20 21 22 18; do
  if [ -e "/usr/lib/llvm-$version/include/llvm-c/LLJIT.h" ]; then LLVM_VERSION_WANTED=$version; break; fi
done

BUILD_PACKAGES="gcc libc6-dev make cmake flex bison zlib1g-dev libpng-dev libjpeg62-turbo-dev libcjson-dev protobuf-c-compiler libprotobuf-c-dev libonnx-dev llvm-$LLVM_VERSION_WANTED-dev clang-$LLVM_VERSION_WANTED"
TEST_PACKAGES="libclang-rt-$LLVM_VERSION_WANTED-dev libcmocka-dev llvm-$LLVM_VERSION_WANTED-tools python3 graphviz libonnx-testdata g++ valgrind strace libclang-rt-$LLVM_VERSION_WANTED-dev pkg-config groff-base qemu-user gcc-aarch64-linux-gnu libc6-dev-arm64-cross"

is_installed() { dpkg-query -W -f '${Status}' "$1" 2>/dev/null | grep -q 'ok installed'; }

# need_packages build|test: installs what is missing, as root or with sudo, or says which packages are.
need_packages() {
  wanted=$BUILD_PACKAGES
  [ "$1" = test ] && wanted="$wanted $TEST_PACKAGES"
  missing=
  if ! command -v dpkg-query >/dev/null; then
    echo "This is not a Debian system. dlc needs what these Debian packages hold: $wanted"
    return
  fi
  for package in $wanted; do is_installed "$package" || missing="$missing $package"; done
  [ -z "$missing" ] && return
  if [ "$(id -u)" = 0 ]; then as_root=; elif command -v sudo >/dev/null; then as_root=sudo; else
    echo "These packages are missing, and neither root nor sudo is there to install them:$missing" >&2
    echo "Ask for: apt-get install$missing" >&2
    exit 1
  fi
  echo "Installing:$missing"
  log=$(mktemp)
  if ! { $as_root apt-get update && $as_root env DEBIAN_FRONTEND=noninteractive \
         apt-get install -y --no-install-recommends $missing; } >"$log" 2>&1; then
    cat "$log" >&2
    echo "Installing failed; the lines above say why." >&2
    exit 1
  fi
  rm -f "$log"
}

# build_dlc DIR: a release build, quiet unless it fails.
build_dlc() {
  echo "Building in $1/"
  log=$(mktemp)
  if ! { cmake -S . -B "$1" -DCMAKE_BUILD_TYPE=Release && cmake --build "$1" -j "$(nproc)"; } >"$log" 2>&1; then
    cat "$log" >&2
    echo "The build failed; the lines above say why." >&2
    exit 1
  fi
  rm -f "$log"
}
