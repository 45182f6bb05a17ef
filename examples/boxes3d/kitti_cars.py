#!/usr/bin/env python3
"""The surroundings of each car in KITTI's scans, as points.dl reads them.

  kitti_cars.py FOLDER OUT [--points 256] [--seed 0]

FOLDER holds what convert/kitti_to_npy.py wrote: points.npy and boxes.npy, of which class 1 is a car. OUT gets
cars-points.npy and cars-boxes.npy, as make_points.py describes them: turned about the scanner so that the car lies
ahead, up to 3.5 m around a place up to 0.8 m beside the car's middle, that many points of them by chance, repeated where
there are fewer.
"""
import argparse
import math
import os
import random
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'convert'))
import npy  # noqa: E402
from make_points import GROUND, REACH  # noqa: E402


def car_of(points, box, count, dice):
    """What a scene of points.dl holds, or None where the scanner sees nothing of the place."""
    _, x, y, z, length, width, height, turn = box
    far, away = math.atan2(y, x), math.hypot(x, y)
    place = (away + dice.uniform(-0.8, 0.8), dice.uniform(-0.8, 0.8), GROUND + 0.8)
    c, s = math.cos(far), math.sin(far)
    near = []
    for k in range(0, len(points), 4):
        ahead, left = c * points[k] + s * points[k + 1] - place[0], c * points[k + 1] - s * points[k] - place[1]
        if abs(ahead) <= REACH and abs(left) <= REACH:
            near.append((ahead, left, points[k + 2] - place[2]))
    if not near:
        return None
    chosen = dice.sample(near, count) if len(near) >= count else near + dice.choices(near, k=count - len(near))
    print(f'a car {away:.0f} m away: {len(near)} points')
    middle = [away - place[0], -place[1], z - place[2]]
    return [value for point in chosen for value in point], middle + [length, width, height, math.cos(2 * (turn - far)),
                                                                     math.sin(2 * (turn - far))]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('folder')
    parser.add_argument('out')
    parser.add_argument('--points', type=int, default=256)
    parser.add_argument('--seed', type=int, default=0)
    a = parser.parse_args()
    dice = random.Random(a.seed)
    (shape, points), (most, boxes) = (npy.read(os.path.join(a.folder, name)) for name in ('points.npy', 'boxes.npy'))
    cars = []
    for frame in range(shape[0]):
        for k in range(frame * most[1], (frame + 1) * most[1]):
            if boxes[8 * k] == 1:
                scan = points[frame * shape[1] * 4:(frame + 1) * shape[1] * 4]
                cars.append(car_of(scan, boxes[8 * k:8 * k + 8], a.points, dice))
    cars = [car for car in cars if car]
    os.makedirs(a.out, exist_ok=True)
    npy.write(os.path.join(a.out, 'cars-points.npy'), (len(cars), a.points, 3), [v for car in cars for v in car[0]])
    npy.write(os.path.join(a.out, 'cars-boxes.npy'), (len(cars), 8), [v for car in cars for v in car[1]])


if __name__ == '__main__':
    main()
