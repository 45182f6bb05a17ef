"""make_idx.py FILE DIM.. [= VALUE..]: an IDX file of bytes with these dimensions; values repeat (0, 1, 2, .. without)."""
import struct
import sys

words = sys.argv[2:]
cut = words.index('=') if '=' in words else len(words)
dims = [int(word) for word in words[:cut]]
count = 1
for dim in dims:
    count *= dim
values = [int(word) for word in words[cut + 1:]] or [k % 256 for k in range(count)]
with open(sys.argv[1], 'wb') as f:
    f.write(bytes([0, 0, 8, len(dims)]) + struct.pack('>%dI' % len(dims), *dims))
    f.write(bytes(values[k % len(values)] for k in range(count)))
