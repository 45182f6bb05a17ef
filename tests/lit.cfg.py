# LLVM's lit over tests/golden: each .dl, .dlir and .test file holds its own RUN lines and what they must print.
# Parameters: dlc_dir (where dlc is), tools_dir (FileCheck, not, count), work_dir (where %t files go).
import os
import shutil
import subprocess
import sys

import lit.formats

config.name = "dlc"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".dl", ".dlir", ".test"]
config.excludes = ["Inputs", "peers", "unit"]

here = os.path.dirname(__file__)
root = os.path.dirname(here)
dlc_dir = os.path.abspath(lit_config.params.get("dlc_dir", os.path.join(root, "build")))
tools_dir = lit_config.params.get("tools_dir", "/usr/lib/llvm-19/bin")
config.test_source_root = here
config.test_exec_root = lit_config.params.get("work_dir", os.path.join(dlc_dir, "tests", "lit"))

# The same output on every machine: no colour, no data folder of the user's, a fixed locale.
config.environment = {
    "PATH": os.pathsep.join([dlc_dir, tools_dir, os.environ.get("PATH", "")]),
    "NO_COLOR": "1",
    "DLC_CACHE": os.path.join(config.test_exec_root, "cache"),
    "LC_ALL": "C.UTF-8",
    "TMPDIR": os.environ.get("TMPDIR", "/tmp"),
    "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", ""),
    "TSAN_OPTIONS": os.environ.get("TSAN_OPTIONS", ""),
    "UBSAN_OPTIONS": os.environ.get("UBSAN_OPTIONS", ""),
    "ASAN_SYMBOLIZER_PATH": os.path.join(tools_dir, "llvm-symbolizer"),
    "TSAN_SYMBOLIZER_PATH": os.path.join(tools_dir, "llvm-symbolizer"),
    "LLVM_PROFILE_FILE": os.environ.get("LLVM_PROFILE_FILE", os.devnull),
}
config.substitutions.append(("%examples", os.path.join(root, "examples")))
config.substitutions.append(("%root", root))
config.substitutions.append(("%dlc_dir", dlc_dir))
config.substitutions.append(("%python", '"' + os.environ.get("PYTHON", "python3") + '"'))

# A pseudo-terminal, for tests of what a terminal sees (REQUIRES: terminal): not every container has them.
try:
    for end in os.openpty():
        os.close(end)
    config.available_features.add("terminal")
except OSError:
    pass

# A kernel (Linux 6.3) that can forbid a process to run code that it wrote, as some machines do (Inputs/no_new_code.py).
no_new_code = os.path.join(here, "golden", "driver", "Inputs", "no_new_code.py")
if subprocess.run([sys.executable, no_new_code, "true"], check=False).returncode == 0:
    config.available_features.add("no-new-code")

# strace, where it may look at other processes.
traced = ["strace", "-qq", "-e", "trace=none", "true"]
if shutil.which("strace") and subprocess.run(traced, check=False, capture_output=True).returncode == 0:
    config.available_features.add("strace")

# Graphviz, which only the commands that draw through it need.
if shutil.which("dot"):
    config.available_features.add("graphviz")

# Other machines, for libraries that are built for them (REQUIRES: aarch64), and other CPUs (REQUIRES: qemu-x86_64).
if shutil.which("qemu-aarch64") and shutil.which("aarch64-linux-gnu-gcc"):
    config.available_features.add("aarch64")
if shutil.which("qemu-x86_64") and os.uname().machine == "x86_64":
    config.available_features.add("qemu-x86_64")

# Real data: %data, the folder that DLC_DATA names. A test that needs it is counted as unsupported elsewhere.
data = os.environ.get("DLC_DATA", "")
if os.path.isdir(data):
    config.available_features.add("real-data")
    config.substitutions.append(("%data", os.path.abspath(data)))

# A build with a sanitizer (UNSUPPORTED: sanitized): its library does not load into programs without one, it runs neither under
# valgrind nor in limited memory, and what is measured of it (bytes, seconds) says nothing.
try:
    with open(os.path.join(dlc_dir, "libdlc.so"), "rb") as file:
        library = file.read()
    if b"__asan_init" in library or b"__tsan_init" in library:
        config.available_features.add("sanitized")
except OSError:
    pass

# Another check of memory, which does not go with a sanitizer.
valgrind = "valgrind --quiet --leak-check=full --errors-for-leak-kinds=definite --error-exitcode=9"
config.substitutions.append(("%valgrind", valgrind if shutil.which("valgrind") and "sanitized" not in config.available_features else "env"))
