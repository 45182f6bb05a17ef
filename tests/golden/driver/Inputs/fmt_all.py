"""fmt_all.py DLC FOLDER...: every program that parses is formatted to one that formats to itself (dlc itself compares the
trees), as it stands and with its indentation taken away."""
import os
import re
import subprocess
import sys
import tempfile


def fmt(dlc, path):
    done = subprocess.run([dlc, 'fmt', path, '-o', '-'], capture_output=True)
    assert done.returncode in (0, 1), (path, done.returncode, done.stderr)
    return done.stdout if done.returncode == 0 else None


def files(folders):
    for folder in folders:
        for at, _, names in os.walk(folder):
            yield from (os.path.join(at, name) for name in sorted(names) if name.endswith('.dl'))


formatted = refused = 0
with tempfile.TemporaryDirectory() as scratch:
    again = os.path.join(scratch, 'again.dl')
    for path in files(sys.argv[2:]):
        with open(path, 'rb') as f:
            text = f.read()
        for variant in (text, re.sub(rb'(?m)^[ \t]+', b'', text), re.sub(rb'(?m)^', b'      ', text)):
            with open(again, 'wb') as f:
                f.write(variant)
            once = fmt(sys.argv[1], again)
            if once is None:
                refused += 1
                continue
            with open(again, 'wb') as f:
                f.write(once)
            assert fmt(sys.argv[1], again) == once, f'{path} changes when it is formatted once more'
            assert re.findall(rb'#.*?(?=\s*$)', once, re.M) == re.findall(rb'#.*?(?=\s*$)', variant, re.M), path
            formatted += 1
print(f'{formatted} formatted, {refused} refused')
