#!/usr/bin/env python3
"""KITTI's frames (object/training: velodyne, label_2, calib) as two .npy files, for dlc's npy().

  kitti_to_npy.py TRAINING OUT [--points 16384] [--most 16] [--classes Car,Pedestrian,Cyclist]

OUT/points.npy: f4 [frames, points, 4], x (forward), y (left), z (up) in metres and reflectance: of a scan with more
points every k-th, of one with fewer the rest zeros. OUT/boxes.npy: f4 [frames, most, 8], in the same frame: class (from
1), x, y, z of the middle, length, width, height, and the turn about z; zeros where there are fewer.
"""
import argparse
import array
import math
import os
import sys

import npy


def read_points(path, wanted):
    points = array.array('f')
    with open(path, 'rb') as f:
        points.frombytes(f.read())
    if sys.byteorder == 'big':
        points.byteswap()
    if len(points) % 4:
        sys.exit(f'{path}: its length is no multiple of four floats')
    n = len(points) // 4
    chosen = [k * n // wanted for k in range(wanted)] if n > wanted else range(n)
    result = array.array('f')
    for k in chosen:
        result.extend(points[4 * k:4 * k + 4])
    result.extend([0.0] * (4 * wanted - len(result)))
    return result


def read_calibration(path):
    """Rotation and shift from the scanner to the camera: R0_rect times Tr_velo_to_cam."""
    rows = {}
    with open(path, encoding='utf-8') as f:
        for line in f:
            name, _, values = line.partition(':')
            rows[name] = [float(value) for value in values.split()]
    rect, velo = rows['R0_rect'], rows['Tr_velo_to_cam']
    turn = [[sum(rect[3 * i + k] * velo[4 * k + j] for k in range(3)) for j in range(3)] for i in range(3)]
    shift = [sum(rect[3 * i + k] * velo[4 * k + 3] for k in range(3)) for i in range(3)]
    return turn, shift


def read_boxes(path, calibration, classes):
    turn, shift = calibration
    with open(path, encoding='utf-8') as f:
        for line in f:
            words = line.split()
            if not words or words[0] not in classes:
                continue
            height, width, length, x, y, z, angle = (float(word) for word in words[8:15])
            at = [x - shift[0], y - height / 2 - shift[1], z - shift[2]]  # y points down, from the box's floor
            middle = [sum(turn[i][j] * at[i] for i in range(3)) for j in range(3)]  # the inverse of a rotation
            about_z = -angle - math.pi / 2
            yield [classes.index(words[0]) + 1, *middle, length, width, height, math.remainder(about_z, 2 * math.pi)]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('training')
    parser.add_argument('out')
    parser.add_argument('--points', type=int, default=16384)
    parser.add_argument('--most', type=int, default=16)
    parser.add_argument('--classes', type=lambda text: text.split(','), default=['Car', 'Pedestrian', 'Cyclist'])
    a = parser.parse_args()
    os.makedirs(a.out, exist_ok=True)
    points, boxes = array.array('f'), array.array('f')
    frames = sorted(name[:-4] for name in os.listdir(os.path.join(a.training, 'velodyne')) if name.endswith('.bin'))
    for frame in frames:
        points.extend(read_points(os.path.join(a.training, 'velodyne', frame + '.bin'), a.points))
        calibration = read_calibration(os.path.join(a.training, 'calib', frame + '.txt'))
        found = list(read_boxes(os.path.join(a.training, 'label_2', frame + '.txt'), calibration, a.classes))
        if len(found) > a.most:
            sys.exit(f'{frame}: {len(found)} boxes; --most {len(found)} makes room for them')
        for box in found + [[0.0] * 8] * (a.most - len(found)):
            boxes.extend(box)
    npy.write(os.path.join(a.out, 'points.npy'), (len(frames), a.points, 4), points)
    npy.write(os.path.join(a.out, 'boxes.npy'), (len(frames), a.most, 8), boxes)


if __name__ == '__main__':
    main()
