#!/usr/bin/env python3
"""Draws stick people with 14 joints, in the form of the LSP photographs, for pose.dl.

  make_people.py OUT [--count 200] [--seed 0]

OUT/lsp-pose/images/NAME.ppm, of several sizes, and OUT/lsp-pose/joints.csv: the image's name, then for each joint x and
y in its pixels, and 1 where it is seen. People look at us, bend arms and legs, lean by up to 60 degrees, and are
coloured by chance before a ground with spots. One lower arm or leg in ten is left out, and its end is not seen.
"""
import argparse
import math
import os
import random

NAMES = ['r_ankle', 'r_knee', 'r_hip', 'l_hip', 'l_knee', 'l_ankle', 'r_wrist', 'r_elbow', 'r_shoulder', 'l_shoulder',
         'l_elbow', 'l_wrist', 'neck', 'head']
LIMBS = [(2, 1), (1, 0), (3, 4), (4, 5), (8, 7), (7, 6), (9, 10), (10, 11), (8, 9), (2, 3), (12, 2), (12, 3), (12, 13)]


def person(dice):
    """Joints of a person one unit high, y pointing down, the hips' middle in the origin."""
    def from_(place, angle, length):
        return place[0] + length * math.sin(angle), place[1] + length * math.cos(angle)
    joints = [None] * 14
    joints[12], joints[13] = (0, -0.3), from_((0, -0.3), math.pi + dice.uniform(-0.3, 0.3), 0.17)
    for hip, side, order in ((2, -1, (1, 0)), (3, 1, (4, 5))):  # their right is on our left
        joints[hip] = (0.07 * side, 0)
        thigh = side * dice.uniform(-0.1, 1.0)
        joints[order[0]] = from_(joints[hip], thigh, 0.22)
        joints[order[1]] = from_(joints[order[0]], thigh - side * dice.uniform(0, 1.0), 0.22)
    for shoulder, side, order in ((8, -1, (7, 6)), (9, 1, (10, 11))):
        joints[shoulder] = (0.1 * side, -0.28)
        upper = side * dice.uniform(0.1, 2.6)
        joints[order[0]] = from_(joints[shoulder], upper, 0.16)
        joints[order[1]] = from_(joints[order[0]], upper + side * dice.uniform(-1.5, 1.0), 0.15)
    lean = math.radians(dice.uniform(-60, 60))
    return [(x * math.cos(lean) - y * math.sin(lean), x * math.sin(lean) + y * math.cos(lean)) for x, y in joints]


def draw_limb(pixels, width, height, a, b, thick, colour):
    """A line with round ends."""
    left, right = max(0, int(min(a[0], b[0]) - thick)), min(width - 1, int(max(a[0], b[0]) + thick) + 1)
    top, bottom = max(0, int(min(a[1], b[1]) - thick)), min(height - 1, int(max(a[1], b[1]) + thick) + 1)
    dx, dy = b[0] - a[0], b[1] - a[1]
    length = dx * dx + dy * dy or 1
    for y in range(top, bottom + 1):
        for x in range(left, right + 1):
            px, py = x + 0.5 - a[0], y + 0.5 - a[1]
            along = min(1, max(0, (px * dx + py * dy) / length))
            if (px - along * dx) ** 2 + (py - along * dy) ** 2 <= thick * thick:
                pixels[3 * (y * width + x):3 * (y * width + x) + 3] = colour


def scene(dice):
    width, height = dice.randint(70, 110), dice.randint(80, 120)
    ground = [dice.randint(0, 120) for _ in 'rgb']
    pixels = bytearray(ground * (width * height))
    for _ in range(6):
        spot = (dice.uniform(0, width), dice.uniform(0, height))
        draw_limb(pixels, width, height, spot, spot, dice.uniform(3, 9), [dice.randint(0, 150) for _ in 'rgb'])
    tall = 0.8 * min(width, height)
    middle = (width / 2 + dice.uniform(-0.08, 0.08) * width, height / 2 + dice.uniform(-0.08, 0.08) * height)
    joints = [(middle[0] + tall * x, middle[1] + tall * y) for x, y in person(dice)]
    seen = [0 <= x < width and 0 <= y < height for x, y in joints]
    colours = [[dice.randint(100, 255) for _ in 'rgb'] for _ in range(3)]  # legs, arms, the rest
    for number, (a, b) in enumerate(LIMBS):
        if number in (1, 3, 5, 7) and dice.random() < 0.1:
            seen[b] = False
            continue
        colour = colours[0 if number < 4 else 1 if number < 8 else 2]
        draw_limb(pixels, width, height, joints[a], joints[b], 0.035 * tall, colour)
    draw_limb(pixels, width, height, joints[13], joints[13], 0.08 * tall, colours[2])
    return width, height, pixels, joints, seen


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('out')
    parser.add_argument('--count', type=int, default=200)
    parser.add_argument('--seed', type=int, default=0)
    a = parser.parse_args()
    dice = random.Random(a.seed)
    folder = os.path.join(a.out, 'lsp-pose')
    os.makedirs(os.path.join(folder, 'images'), exist_ok=True)
    with open(os.path.join(folder, 'joints.csv'), 'w', encoding='utf-8') as table:
        table.write('image,' + ','.join(f'{name}_{what}' for name in NAMES for what in 'xyv') + '\n')
        for k in range(a.count):
            width, height, pixels, joints, seen = scene(dice)
            with open(os.path.join(folder, 'images', f'p{k:05}.ppm'), 'wb') as f:
                f.write(b'P6 %d %d 255\n' % (width, height) + pixels)
            values = ','.join(f'{x:.2f},{y:.2f},{int(s)}' for (x, y), s in zip(joints, seen))
            table.write(f'p{k:05}.ppm,{values}\n')


if __name__ == '__main__':
    main()
