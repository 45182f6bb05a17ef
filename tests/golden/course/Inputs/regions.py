"""regions.py FILE..: how many pixels of each picture of decision regions are islands: outside of the largest part of a class."""
import sys

import npy


def classes(path):
    """[side][side] numbers of regions' classes, by the largest channel: blue, red (orange), green."""
    shape, values = npy.load(path)
    assert shape == (1, 240, 240, 3), shape
    side = shape[1]
    pixels = [values[3 * k:3 * k + 3] for k in range(side * side)]
    named = [max(range(3), key=lambda c: rgb[c]) for rgb in pixels]
    # Points are dark, and may stand in another class's region: they take the class to the left.
    for k, rgb in enumerate(pixels):
        if min(rgb) < 0.5 and k:
            named[k] = named[k - 1]
    return [named[r * side:(r + 1) * side] for r in range(side)]


def part_from(grid, start, seen):
    """The size of the connected part that holds `start`, whose pixels are added to `seen`."""
    side, size, todo = len(grid), 0, [start]
    seen.add(start)
    while todo:
        r, c = todo.pop()
        size += 1
        for near in ((r + 1, c), (r - 1, c), (r, c + 1), (r, c - 1)):
            inside = 0 <= near[0] < side and 0 <= near[1] < side
            if inside and near not in seen and grid[near[0]][near[1]] == grid[r][c]:
                seen.add(near)
                todo.append(near)
    return size


def islands(grid):
    side, seen, parts = len(grid), set(), {0: [], 1: [], 2: []}
    for start in ((r, c) for r in range(side) for c in range(side)):
        if start not in seen:
            parts[grid[start[0]][start[1]]].append(part_from(grid, start, seen))
    return sum(sum(sizes) - max(sizes) for sizes in parts.values())


print(*(islands(classes(path)) for path in sys.argv[1:]))
