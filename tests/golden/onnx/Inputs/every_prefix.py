#!/usr/bin/env python3
"""Imports every STEP-th prefix of a model: each must be refused with status 3 and nothing be written, unless it ends
between two fields of the model itself and is a model as it stands.

  every_prefix.py DLC MODEL.onnx BASE STEP
"""
import os
import subprocess
import sys

dlc, path, base, step = sys.argv[1:]
with open(path, 'rb') as f:
    whole = f.read()
count = 0
for length in range(0, len(whole), int(step)):
    with open(base + '.onnx', 'wb') as f:
        f.write(whole[:length])
    done = subprocess.run([dlc, 'import', base + '.onnx', '-o', base], capture_output=True, text=True)
    if done.returncode != 3 or 'error[E042' not in done.stderr:
        sys.exit(f'{length} bytes: status {done.returncode}: {done.stderr}')
    if os.path.exists(base + '.dl') or os.path.exists(base + '.safetensors'):
        sys.exit(f'{length} bytes: something was written')
    count += 1
print(f'{count} prefixes: all refused, nothing written')
