"""Reading .npy files without NumPy."""
import ast
import struct
from array import array

KINDS = {'<f4': 'f', '<i4': 'i', '|u1': 'B', '|b1': 'B'}


def load(path):
    """(shape, flat values)."""
    with open(path, 'rb') as f:
        raw = f.read()
    length = struct.unpack('<H', raw[8:10])[0]
    header = ast.literal_eval(raw[10:10 + length].decode())
    return header['shape'], array(KINDS[header['descr']], raw[10 + length:])
