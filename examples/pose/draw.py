#!/usr/bin/env python3
"""People with their joints, true ones (white) and found ones (coloured), from what `dlc predict --split` wrote.

  draw.py IMAGE.npy HILL.npy HEAT.npy OUT.svg [--first 0] [--count 12]

HILL: f4 [images, height, width, 14], where the joints are; HEAT: f4 [images, rows, columns, 14], where the network says
that they are. A joint is at its map's greatest value; a hill below 0.5 is a joint that is not seen.
"""
import argparse
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'convert'))
import npy  # noqa: E402

JOINTS = 14
LIMBS = [(0, 1, '#e6261f'), (1, 2, '#e6261f'), (3, 4, '#3266d5'), (4, 5, '#3266d5'), (6, 7, '#f7b500'),
         (7, 8, '#f7b500'), (9, 10, '#35c7b0'), (10, 11, '#35c7b0'), (8, 12, '#c05ad8'), (9, 12, '#c05ad8'),
         (2, 12, '#c05ad8'), (3, 12, '#c05ad8'), (12, 13, '#c05ad8')]  # right red and yellow, left blue and green


def peaks(maps, height, width):
    """For each joint the value of its greatest place, and x and y in parts of the sides."""
    found = []
    for k in range(JOINTS):
        values = maps[k::JOINTS]
        at = max(range(height * width), key=values.__getitem__)
        found.append((values[at], (at % width + 0.5) / width, (at // width + 0.5) / height))
    return found


def skeleton(joints, seen, x0, y0, size, colour=None):
    for a, b, own in LIMBS:
        if seen[a] and seen[b]:
            (_, xa, ya), (_, xb, yb) = joints[a], joints[b]
            yield (f'<line x1="{x0 + xa * size:.1f}" y1="{y0 + ya * size:.1f}" x2="{x0 + xb * size:.1f}" '
                   f'y2="{y0 + yb * size:.1f}" stroke="{colour or own}" stroke-width="{2.5 if colour else 2}"/>\n')


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ('image', 'hill', 'heat', 'out'):
        parser.add_argument(name)
    parser.add_argument('--first', type=int, default=0)
    parser.add_argument('--count', type=int, default=12)
    a = parser.parse_args()
    (shape, image), (_, hill), (small, heat) = npy.read(a.image), npy.read(a.hill), npy.read(a.heat)
    height, width = shape[1:3]
    size, room, across, parts = height * width, small[1] * small[2] * JOINTS, 4, []
    count = min(a.count, shape[0] - a.first)
    for k in range(count):
        n = a.first + k
        rgb = image[3 * n * size:3 * (n + 1) * size]
        low, high = min(rgb), max(rgb)
        x0, y0, scale = k % across * (2 * width + 8), k // across * (2 * height + 8), 2
        parts.append(npy.svg_image(width, height, [(value - low) / (high - low) for value in rgb], x0, y0, scale))
        true = peaks(hill[n * size * JOINTS:(n + 1) * size * JOINTS], height, width)
        found = peaks(heat[n * room:(n + 1) * room], small[1], small[2])
        seen = [joint[0] >= 0.5 for joint in true]
        parts += skeleton(true, seen, x0, y0, scale * width, 'white')
        parts += skeleton(found, seen, x0, y0, scale * width)
    npy.write_svg(a.out, across * (2 * width + 8), -(-count // across) * (2 * height + 8), parts)


if __name__ == '__main__':
    main()
