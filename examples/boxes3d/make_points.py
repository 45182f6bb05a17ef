#!/usr/bin/env python3
"""Draws what a laser scanner sees of cars, for points.dl.

  make_points.py OUT [--train 3000] [--test 500] [--points 256] [--seed 0]

For train and test: OUT/SPLIT-points.npy, f4 [scenes, points, 3], x (away from the scanner), y (left), z (up) in metres,
about a place near the car; OUT/SPLIT-boxes.npy, f4 [scenes, 8], in the same frame: x, y, z of the car's middle, length,
width, height, cosine and sine of twice the turn about z (a box that is turned half round is the same box).

The scanner stands 1.73 m above the ground and sees a car's sides that face it, denser where they face it more, through
noise of 2 cm; the ground around; and on half of the scenes a bit of a wall.
"""
import argparse
import math
import os
import random
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'convert'))
import npy  # noqa: E402

GROUND = -1.73
REACH = 3.5  # points farther from the place than this, seen from above, are cut off


def random_car(dice):
    length, width, height = dice.uniform(3.2, 5.0), dice.uniform(1.5, 2.0), dice.uniform(1.35, 1.9)
    return (dice.uniform(6, 35), 0.0, GROUND + height / 2, length, width, height, dice.uniform(0, math.pi))


def faces_seen(car):
    """(weight, function of two numbers in -0.5..0.5 that gives a place in the car's frame) of each face seen."""
    x, y, z, length, width, height, turn = car
    eye = (-x * math.cos(turn) - y * math.sin(turn), x * math.sin(turn) - y * math.cos(turn), -z)  # in the car's frame
    far = math.hypot(*eye)
    faces = []
    for axis, (size, area) in enumerate([(length, width * height), (width, length * height), (height, length * width)]):
        side = 1 if eye[axis] > 0 else -1
        facing = (abs(eye[axis]) - size / 2) / far
        if facing > 0 and not (axis == 2 and side < 0):
            faces.append((facing * area, lambda u, v, a=axis, s=side: [
                (0.5 * s, u, v), (u, 0.5 * s, v), (u, v, 0.5 * s)][a]))
    return faces


def car_point(dice, car, faces):
    x, y, z, length, width, height, turn = car
    face = dice.choices(faces, [weight for weight, _ in faces])[0][1]
    u, v, w = face(dice.uniform(-0.5, 0.5), dice.uniform(-0.5, 0.5))
    u, v, w = u * length, v * width, w * height
    return (x + u * math.cos(turn) - v * math.sin(turn), y + u * math.sin(turn) + v * math.cos(turn), z + w)


def ground_point(dice, place):
    return (place[0] + dice.uniform(-REACH, REACH), place[1] + dice.uniform(-REACH, REACH), GROUND)


def wall_of(dice, place):
    """A wall beside or behind the car, as a function that gives a place on it."""
    turn, away = dice.uniform(-0.5, 0.5), dice.uniform(2.6, 3.4)
    ahead = dice.random() < 0.5
    side = dice.choice((-1, 1))

    def point():
        along, up = dice.uniform(-2, 2), dice.uniform(0, 2)
        u, v = (away, along) if ahead else (along, side * away)
        return (place[0] + u * math.cos(turn) - v * math.sin(turn), place[1] + u * math.sin(turn) + v * math.cos(turn),
                GROUND + up)
    return point


def scene(dice, count):
    car = random_car(dice)
    place = (car[0] + dice.uniform(-0.8, 0.8), car[1] + dice.uniform(-0.8, 0.8), GROUND + 0.8)
    faces = faces_seen(car)
    wall = wall_of(dice, place) if dice.random() < 0.5 else None
    share = dice.uniform(0.3, 0.8)
    points = []
    for _ in range(count):
        if dice.random() < share:
            point = car_point(dice, car, faces)
        elif wall and dice.random() < 0.3:
            point = wall()
        else:
            point = ground_point(dice, place)
        points.extend(value + dice.gauss(0, 0.02) - middle for value, middle in zip(point, place))
    x, y, z, length, width, height, turn = car
    box = [x - place[0], y - place[1], z - place[2], length, width, height, math.cos(2 * turn), math.sin(2 * turn)]
    return points, box


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('out')
    parser.add_argument('--train', type=int, default=3000)
    parser.add_argument('--test', type=int, default=500)
    parser.add_argument('--points', type=int, default=256)
    parser.add_argument('--seed', type=int, default=0)
    a = parser.parse_args()
    os.makedirs(a.out, exist_ok=True)
    for split, count in (('train', a.train), ('test', a.test)):
        dice = random.Random(f'{a.seed} {split}')
        points, boxes = [], []
        for _ in range(count):
            seen, box = scene(dice, a.points)
            points.extend(seen)
            boxes.extend(box)
        npy.write(os.path.join(a.out, f'{split}-points.npy'), (count, a.points, 3), points)
        npy.write(os.path.join(a.out, f'{split}-boxes.npy'), (count, 8), boxes)


if __name__ == '__main__':
    main()
