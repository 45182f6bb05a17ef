#!/usr/bin/env python3
"""Points and boxes from above: away from the scanner is up, left is left.

  draw.py POINTS.npy OUT.svg BOXES.npy [MORE.npy] [--first 0] [--count 6] [--metres 4]

POINTS: f4 [scenes, points, 3 or 4]. Boxes: f4 [scenes, 8], x, y, z, length, width, height, cosine and sine of twice the
turn (as points.dl has them); or f4 [scenes, most, 8], class, x, y, z, length, width, height, turn (as
convert/kitti_to_npy.py writes them). Higher points are darker; the first file's boxes are dashed, the second's blue. A
picture shows --metres in each direction around the middle; with lists of boxes, twice as many ahead of the scanner.
"""
import argparse
import math
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'convert'))
import npy  # noqa: E402

PIXELS = 400
STYLES = ['stroke="black" stroke-width="1.5" stroke-dasharray="4 2"', 'stroke="#3266d5" stroke-width="2"']


def boxes_of(shape, values, n):
    """x, y, length, width and turn of each box of scene n."""
    most = 1 if len(shape) == 2 else shape[1]
    rows = [values[8 * k:8 * k + 8] for k in range(n * most, (n + 1) * most)]
    if len(shape) == 2:
        return [(row[0], row[1], row[3], row[4], math.atan2(row[7], row[6]) / 2) for row in rows]
    return [(row[1], row[2], row[4], row[5], row[7]) for row in rows if row[0] > 0]


def corners(box):
    x, y, length, width, turn = box
    for u, v in ((-1, -1), (1, -1), (1, 1), (-1, 1)):
        along, across = u * length / 2, v * width / 2
        yield x + along * math.cos(turn) - across * math.sin(turn), y + along * math.sin(turn) + across * math.cos(turn)


def picture(points, boxes, metres, low, at):
    """An SVG group: from `low` metres ahead of the middle, and to both sides."""
    scale = PIXELS / (2 * metres)

    def place(x, y):
        return PIXELS / 2 - y * scale, PIXELS - (x - low) * scale
    grey = [1.0] * (PIXELS * PIXELS)
    floor = min(z for _, _, z in points)
    wide = 1 if len(points) < 2000 else 0  # a point covers the pixels up to so far from its own
    for x, y, z in points:
        column, row = (math.floor(value) for value in place(x, y))
        shade = max(0.0, 0.8 - 0.4 * (z - floor))
        for i in range(max(0, row - wide), min(PIXELS, row + wide + 1)):
            for j in range(max(0, column - wide), min(PIXELS, column + wide + 1)):
                grey[i * PIXELS + j] = min(grey[i * PIXELS + j], shade)
    grid = [shade for shade in grey for _ in 'rgb']
    parts = [f'<svg x="{at[0]}" y="{at[1]}" width="{PIXELS}" height="{PIXELS}">',
             npy.svg_image(PIXELS, PIXELS, grid, 0, 0)]
    for style, found in zip(STYLES, boxes):
        for box in found:
            path = ' '.join(f'{column:.1f},{row:.1f}' for column, row in (place(*corner) for corner in corners(box)))
            parts.append(f'<polygon points="{path}" fill="none" {style}/>')
    return ''.join(parts) + f'<rect width="{PIXELS}" height="{PIXELS}" fill="none" stroke="#999"/></svg>\n'


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('points')
    parser.add_argument('out')
    parser.add_argument('boxes', nargs='+')
    parser.add_argument('--first', type=int, default=0)
    parser.add_argument('--count', type=int, default=6)
    parser.add_argument('--metres', type=float, default=4)
    a = parser.parse_args()
    shape, values = npy.read(a.points)
    boxes = [npy.read(path) for path in a.boxes]
    low = -a.metres if len(boxes[0][0]) == 2 else 0
    count, size, parts = min(a.count, shape[0] - a.first), shape[1] * shape[2], []
    for k in range(count):
        flat = values[(a.first + k) * size:(a.first + k + 1) * size]
        points = [flat[at:at + 3] for at in range(0, size, shape[2])]
        at = (k % 3 * (PIXELS + 8), k // 3 * (PIXELS + 8))
        parts.append(picture(points, [boxes_of(*one, a.first + k) for one in boxes], a.metres, low, at))
    npy.write_svg(a.out, min(3, count) * (PIXELS + 8), -(-count // 3) * (PIXELS + 8), parts)


if __name__ == '__main__':
    main()
