"""make_npy.py FILE ROWS NUMBER..: the numbers as .npy floats, so many rows."""
import struct
import sys

rows, values = int(sys.argv[2]), [float(word) for word in sys.argv[3:]]
header = str({'descr': '<f4', 'fortran_order': False, 'shape': (rows, len(values) // rows)}).encode()
header += b' ' * (-(len(header) + 11) % 64) + b'\n'
with open(sys.argv[1], 'wb') as f:
    f.write(b'\x93NUMPY\x01\x00' + struct.pack('<H', len(header)) + header)
    f.write(struct.pack('<%df' % len(values), *values))
