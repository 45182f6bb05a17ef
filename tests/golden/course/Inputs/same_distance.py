"""same_distance.py PICTURE DISTANCES: the shifted and the tinted scene are equally far from the original, in the pixels of the
picture too, and they are not the same."""
import sys

import npy

shape, rgb = npy.load(sys.argv[1])
_, (shifted, tinted) = npy.load(sys.argv[2])
assert shape == (1, 64, 192, 3) and abs(shifted - tinted) < 1e-4 * shifted, (shape, shifted, tinted)
assert min(rgb) >= 0 and max(rgb) <= 1


def part(which):
    return [v for row in range(64) for v in rgb[(row * 192 + 64 * which) * 3:(row * 192 + 64 * (which + 1)) * 3]]


def far(a, b):
    return sum((x - y) ** 2 for x, y in zip(a, b)) ** 0.5


scene, moved, lit = part(0), part(1), part(2)
assert abs(far(scene, moved) - shifted) < 1e-3 and abs(far(scene, lit) - tinted) < 1e-3
assert scene[:186] == moved[6:192] and far(moved, lit) > 0.5 * shifted
print('equally far')
