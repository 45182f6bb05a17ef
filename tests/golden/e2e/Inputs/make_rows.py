"""make_rows.py FILE: three rows of four numbers, 0 to 11, as .npy."""
import struct
import sys
from array import array

header = str({'descr': '<f4', 'fortran_order': False, 'shape': (3, 4)}).encode()
header += b' ' * (-(len(header) + 11) % 64) + b'\n'
with open(sys.argv[1], 'wb') as f:
    f.write(b'\x93NUMPY\x01\x00' + struct.pack('<H', len(header)) + header + array('f', range(12)).tobytes())
