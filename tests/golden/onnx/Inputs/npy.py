#!/usr/bin/env python3
"""Writes and compares .npy files.

  npy.py FILE.npy 3 4                whole numbers as a vector
  npy.py FILE.npy random 2 28 28 1   random floats of these sizes
  npy.py same A.npy B.npy            are two files of floats nearly the same?
"""
import random
import struct
import sys


def write(path, kind, letter, dims, values):
    head = f"{{'descr': '<{kind}', 'fortran_order': False, 'shape': ({''.join(f'{d}, ' for d in dims)}), }}"
    head += ' ' * (-(len(head) + 11) % 64) + '\n'
    with open(path, 'wb') as out:
        out.write(b'\x93NUMPY\x01\x00' + struct.pack('<H', len(head)) + head.encode())
        out.write(struct.pack(f'<{len(values)}{letter}', *values))


def read(path):
    with open(path, 'rb') as f:
        data = f.read()
    body = data[10 + struct.unpack('<H', data[8:10])[0]:]
    return struct.unpack(f'<{len(body) // 4}f', body)


if sys.argv[1] == 'same':
    a, b = read(sys.argv[2]), read(sys.argv[3])
    worst = max(abs(x - y) / max(1e-3, abs(x)) for x, y in zip(a, b))
    print('the same' if len(a) == len(b) and worst < 1e-4 else f'not the same: {worst}')
elif sys.argv[2] == 'random':
    sizes = [int(v) for v in sys.argv[3:]]
    draw, total = random.Random(7), 1
    for size in sizes:
        total *= size
    write(sys.argv[1], 'f4', 'f', sizes, [draw.uniform(-1, 1) for _ in range(total)])
else:
    numbers = [int(v) for v in sys.argv[2:]]
    write(sys.argv[1], 'i8', 'q', [len(numbers)], numbers)
