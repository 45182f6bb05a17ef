"""templates.py FILE: ten pictures of weights, each stretched to 0 or 1 at its largest weight; the airplane's corners are blue."""
import sys

import npy

shape, values = npy.load(sys.argv[1])
assert shape == (10, 32, 32, 3), shape
pictures = [values[k * 3072:(k + 1) * 3072] for k in range(10)]
for picture in pictures:
    assert min(picture) >= 0 and max(picture) <= 1 and abs(max(abs(v - 0.5) for v in picture) - 0.5) < 1e-6
corner = [3 * (32 * row + column) for row in range(6) for column in range(6)]
red, green, blue = (sum(pictures[0][at + c] for at in corner) for c in range(3))
assert blue > red and blue > green, (red, green, blue)
assert len({tuple(p) for p in pictures}) == 10
print('ten templates')
