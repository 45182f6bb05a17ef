#!/usr/bin/env python3
"""Images, true distances and estimated ones side by side, from what `dlc predict --split` wrote.

  draw.py IMAGE.npy DEPTH.npy ESTIMATE.npy OUT.svg [--count 5]

Near is white, far is black, by the range of the true distances; 0 (no distance) is black.
"""
import argparse
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'convert'))
import npy  # noqa: E402


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ('image', 'depth', 'estimate', 'out'):
        parser.add_argument(name)
    parser.add_argument('--count', type=int, default=5)
    a = parser.parse_args()
    (shape, image), (_, depth), (_, estimate) = npy.read(a.image), npy.read(a.depth), npy.read(a.estimate)
    n, height, width = min(a.count, shape[0]), shape[1], shape[2]
    size, scale, parts = height * width, max(1, 160 // width), []
    for k in range(n):
        true = depth[k * size:(k + 1) * size]
        near, far = min(value for value in true if value > 0), max(true)
        rgb = image[3 * k * size:3 * (k + 1) * size]
        columns = [rgb]
        for values in (true, estimate[k * size:(k + 1) * size]):
            columns.append([0 if value <= 0 else 1 - (value - near) / (far - near or 1)
                            for value in values for _ in 'rgb'])
        parts += [npy.svg_image(width, height, pixels, at * (scale * width + 8), k * (scale * height + 8), scale)
                  for at, pixels in enumerate(columns)]
    npy.write_svg(a.out, 3 * (scale * width + 8), n * (scale * height + 8), parts)


if __name__ == '__main__':
    main()
