# pages.py COMMAND..: runs the command and looks at its memory (/proc/PID/maps) over and over until it ends. Prints how often it
# saw code that the process wrote itself, and every mapping that could be written and executed, or a stack that could be executed.
import subprocess
import sys
import time

process = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
bad, looks, with_code = set(), 0, 0
while process.poll() is None:
    try:
        with open("/proc/%d/maps" % process.pid) as file:
            lines = file.read().splitlines()
    except OSError:
        continue
    time.sleep(0.0005)
    looks += bool(lines)
    ours = False
    for line in lines:
        words = line.split(None, 5)
        rights, name = words[1], words[5] if len(words) > 5 else ""
        if "x" not in rights:
            continue
        if "w" in rights or name.startswith("[stack"):
            bad.add(line)
        ours = ours or not name
    with_code += ours
for line in sorted(bad):
    print("writable and executable:", line)
print("status %d, looked: %s, code that it wrote: %s" % (process.returncode, looks > 20, with_code > 5))
