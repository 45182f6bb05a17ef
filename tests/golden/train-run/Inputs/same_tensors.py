"""same_tensors.py A B: for every tensor of A in order whether B has the same bytes under its name."""
import json
import struct
import sys


def tensors(path):
    with open(path, 'rb') as f:
        length, = struct.unpack('<Q', f.read(8))
        header = json.loads(f.read(length))
        data = f.read()
    header.pop('__metadata__', None)
    return {name: data[slice(*entry['data_offsets'])] for name, entry in header.items()}


a, b = (tensors(path) for path in sys.argv[1:3])
for name in a:
    print(name, 'missing' if name not in b else 'same' if a[name] == b[name] else 'other')
