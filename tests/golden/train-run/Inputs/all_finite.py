"""all_finite.py FILE..: fails where a safetensors file of floats holds a NaN or an infinity."""
import json
import math
import struct
import sys

for path in sys.argv[1:]:
    with open(path, 'rb') as f:
        length, = struct.unpack('<Q', f.read(8))
        json.loads(f.read(length))
        data = f.read()
    assert all(math.isfinite(x) for x, in struct.iter_unpack('<f', data)), path
