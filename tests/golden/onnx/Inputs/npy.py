#!/usr/bin/env python3
"""Writes and compares .npy files.

  npy.py FILE.npy 3 4                whole numbers as a vector
  npy.py FILE.npy random 2 28 28 1   random floats of these sizes
  npy.py same A.npy B.npy            are two files of floats nearly the same?
"""
import os
import random
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), *[os.pardir] * 3, 'onnx'))
import proto  # noqa: E402

if sys.argv[1] == 'same':
    a, b = (proto.read_npy(path)[2] for path in sys.argv[2:4])
    worst = max(abs(x - y) / max(1e-3, abs(x)) for x, y in zip(a, b))
    print('the same' if len(a) == len(b) and worst < 1e-4 else f'not the same: {worst}')
elif sys.argv[2] == 'random':
    sizes = [int(v) for v in sys.argv[3:]]
    draw, total = random.Random(7), 1
    for size in sizes:
        total *= size
    proto.write_npy(sys.argv[1], 'f4', sizes, [draw.uniform(-1, 1) for _ in range(total)])
else:
    numbers = [int(v) for v in sys.argv[2:]]
    proto.write_npy(sys.argv[1], 'i8', [len(numbers)], numbers)
