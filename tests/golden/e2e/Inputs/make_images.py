"""make_images.py FILE ROWS: [ROWS, 28, 28, 1] floats in 0..1 as .npy, without NumPy."""
import struct
import sys
from array import array

path, rows = sys.argv[1], int(sys.argv[2])
state, values = 1, array('f')
for _ in range(rows * 784):
    state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
    values.append((state >> 40) / 2**24)
header = str({'descr': '<f4', 'fortran_order': False, 'shape': (rows, 28, 28, 1)}).encode()
header += b' ' * (-(len(header) + 11) % 64) + b'\n'
with open(path, 'wb') as f:
    f.write(b'\x93NUMPY\x01\x00' + struct.pack('<H', len(header)) + header + values.tobytes())
