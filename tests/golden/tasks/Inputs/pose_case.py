"""pose_case.py FOLDER: joints between (10.5, 10.5) and (60.5, 90.5), a box 80 high, so that PCK at 0.1 allows 8 pixels."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), *['..'] * 4, 'examples', 'convert'))
import npy  # noqa: E402

at = [(10.5, 10.5), (60.5, 90.5)] + [(20.5 + k, 30.5 + 2 * k) for k in range(12)]
off = [(0, 0), (0, 0), (0, 0), (0, 0), (0, 0), (7, 0), (0, -7), (5, 5), (8, 0), (0, 8), (9, 0), (6, 6), (0, 20), (30, 30)]
places = {'at': at, 'found': [(x + dx, y + dy) for (x, y), (dx, dy) in zip(at, off)]}
for name, points in places.items():
    npy.write(os.path.join(sys.argv[1], name + '.npy'), (1, 14, 2), [value for point in points for value in point])
npy.write(os.path.join(sys.argv[1], 'seen.npy'), (1, 14, 1), [1] * 13 + [0])
npy.write(os.path.join(sys.argv[1], 'maps.npy'), (1, 1, 2, 14), list(range(14)) + list(range(20, 34)))
# A file 50 high and 100 wide: it fills the square's middle half.
npy.write(os.path.join(sys.argv[1], 'joints.npy'), (1, 14, 3), [0, 0, 1, 100, 50, 1] + [50, 25, 1] * 12)
npy.write(os.path.join(sys.argv[1], 'size.npy'), (1, 2), [50, 100])
# Twelve pixels, and a window of 2 by 2 whose right half lies outside of the image.
npy.write(os.path.join(sys.argv[1], 'image.npy'), (1, 3, 4, 1), list(range(1, 13)))
npy.write(os.path.join(sys.argv[1], 'from.npy'), (1, 3), [3, 1, 2])
