"""make_blobs.py FOLDER [shuffled|uneven]: x.npy [1200, 6] and y.npy [1200], four clouds of points, without NumPy.
shuffled: labels in another order than their points. uneven: one feature a thousandth of its size."""
import os
import random
import struct
import sys
from array import array

folder, how = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else ''
ROWS, FEATURES, CLASSES = 1200, 6, 4
numbers = random.Random(1)
centres = [[numbers.gauss(0, 1) for _ in range(FEATURES)] for _ in range(CLASSES)]
labels = array('i', (numbers.randrange(CLASSES) for _ in range(ROWS)))
points = array('f', (numbers.gauss(c, 0.5) for label in labels for c in centres[label]))
if how == 'shuffled':
    order = list(labels)
    numbers.shuffle(order)
    labels = array('i', order)
if how == 'uneven':
    for k in range(0, len(points), FEATURES):
        points[k] *= 0.001


def write(name, kind, shape, values):
    header = str({'descr': kind, 'fortran_order': False, 'shape': shape}).encode()
    header += b' ' * (-(len(header) + 11) % 64) + b'\n'
    with open(os.path.join(folder, name), 'wb') as f:
        f.write(b'\x93NUMPY\x01\x00' + struct.pack('<H', len(header)) + header + values.tobytes())


os.makedirs(folder, exist_ok=True)
write('x.npy', '<f4', (ROWS, FEATURES), points)
write('y.npy', '<i4', (ROWS,), labels)
