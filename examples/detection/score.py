#!/usr/bin/env python3
"""Mean average precision of boxes on a grid, from what `dlc predict --split` wrote.

  score.py SCORE.npy BOX.npy TRUTH.npy [--classes RBC,WBC,Platelets] [--iou 0.5] [--average]
           [--draw OUT.svg --images IMAGE.npy [--first 0] [--count 6]]

SCORE: f4 [images, rows, columns, classes + 1], scores of no box and of each class; BOX: f4 [images, rows, columns, 4],
x and y of the middle, width and height; TRUTH: f4 [images, most, 5], class (from 1) and box, zeros where there are
fewer.

Each cell and class makes a candidate, as sure as the softmax of the scores. Of candidates of one class in an image that
share more than half, the surest stays. From the surest of all images to the least, a candidate is right when it shares
at least --iou with a true box of its class that no surer one has taken. The average precision of a class is the area
below precision over recall, precision being the best at this recall or a higher one (as Pascal VOC since 2010). Classes
without a true box do not count.

--average scores, instead of the network, one box of the mean size in the middle of each cell, of the class that TRUTH
has most often: what can be had without looking.
"""
import argparse
import math
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'convert'))
import npy  # noqa: E402

LEAST = 0.01  # candidates less sure than this are not looked at
COLOURS = ['#e6261f', '#3266d5', '#f7b500', '#2c8c3c']


def iou(a, b):
    """Boxes are (x, y, width, height)."""
    w = min(a[0] + a[2] / 2, b[0] + b[2] / 2) - max(a[0] - a[2] / 2, b[0] - b[2] / 2)
    h = min(a[1] + a[3] / 2, b[1] + b[3] / 2) - max(a[1] - a[3] / 2, b[1] - b[3] / 2)
    both = max(0, w) * max(0, h)
    return both / max(a[2] * a[3] + b[2] * b[3] - both, 1e-12)


def softmax(scores):
    top = max(scores)
    powers = [math.exp(score - top) for score in scores]
    return [power / sum(powers) for power in powers]


def thin(candidates):
    """Candidates (sure, class, box) of one image, the surest first, without those that a surer one covers."""
    kept = []
    for one in sorted(candidates, key=lambda c: -c[0]):
        if all(other[1] != one[1] or iou(other[2], one[2]) <= 0.5 for other in kept):
            kept.append(one)
    return kept


def candidates_of(score, box, classes):
    """What the cells of one image say; score and box are flat."""
    found = []
    for cell in range(len(box) // 4):
        sure = softmax(score[cell * (classes + 1):(cell + 1) * (classes + 1)])
        for k in range(1, classes + 1):
            if sure[k] >= LEAST:
                found.append((sure[k], k, tuple(box[4 * cell:4 * cell + 4])))
    return thin(found)


def truths_of(row):
    return [(int(row[k]), tuple(row[k + 1:k + 5])) for k in range(0, len(row), 5) if row[k] > 0]


def average_precision(found, truth, k, least):
    """Of class k. found, truth: for each image a list of (sure, class, box), of (class, box)."""
    wanted = sum(one[0] == k for image in truth for one in image)
    ranked = sorted(((one, n) for n, image in enumerate(found) for one in image if one[1] == k), key=lambda c: -c[0][0])
    taken, right, curve = set(), 0, []
    for place, ((_, _, box), n) in enumerate(ranked, 1):
        shares = [(iou(box, one[1]), t) for t, one in enumerate(truth[n]) if one[0] == k and (n, t) not in taken]
        best, t = max(shares, default=(0, 0))
        if best >= least:
            taken.add((n, t))
            right += 1
        curve.append((right / wanted, right / place))
    area, precision, recall = 0, 0, None
    for at, value in reversed(curve):
        if recall is not None:
            area += (recall - at) * precision
        precision, recall = max(precision, value), at
    return area + (recall or 0) * precision, right, len(ranked), wanted


def average_candidates(shape, truth):
    """One box a cell, all alike: of the commonest class and its mean size."""
    boxes = [one for image in truth for one in image]
    k = max({one[0] for one in boxes}, key=[one[0] for one in boxes].count)
    w, h = (sum(one[1][side] for one in boxes if one[0] == k) / sum(one[0] == k for one in boxes) for side in (2, 3))
    rows, columns = shape[1:3]
    cells = [(0.5, k, ((j + 0.5) / columns, (i + 0.5) / rows, w, h)) for i in range(rows) for j in range(columns)]
    return [cells for _ in range(shape[0])]


def draw(path, images, found, truth, first, count, least_sure=0.5):
    (_, height, width, channels), values = npy.read(images)
    scale, parts, across = max(1, 320 // width), [], 3
    for number in range(count):
        n = first + number
        x0, y0 = number % across * (scale * width + 8), number // across * (scale * height + 8)
        pixels = values[n * height * width * channels:(n + 1) * height * width * channels]
        low, high = min(pixels), max(pixels)
        grey = [(value - low) / (high - low or 1) for value in pixels]
        rgb = grey if channels == 3 else [value for value in grey for _ in range(3)]
        parts.append(npy.svg_image(width, height, rgb, x0, y0, scale))
        shown = [(k, box, 'stroke-dasharray="3 2" stroke="black" stroke-width="1"') for k, box in truth[n]]
        shown += [(k, box, f'stroke="{COLOURS[(k - 1) % len(COLOURS)]}" stroke-width="2"') for sure, k, box in found[n]
                  if sure >= least_sure]
        for _, (x, y, w, h), style in shown:
            left, top = x0 + (x - w / 2) * scale * width, y0 + (y - h / 2) * scale * height
            parts.append(f'<rect x="{left:.1f}" y="{top:.1f}" width="{w * scale * width:.1f}" '
                         f'height="{h * scale * height:.1f}" fill="none" {style}/>\n')
    npy.write_svg(path, across * (scale * width + 8), -(-count // across) * (scale * height + 8), parts)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('score')
    parser.add_argument('box')
    parser.add_argument('truth')
    parser.add_argument('--classes', type=lambda text: text.split(','))
    parser.add_argument('--iou', type=float, default=0.5)
    parser.add_argument('--average', action='store_true')
    parser.add_argument('--draw')
    parser.add_argument('--images')
    parser.add_argument('--first', type=int, default=0)
    parser.add_argument('--count', type=int, default=6)
    a = parser.parse_args()
    (shape, score), (_, box), (rows, values) = npy.read(a.score), npy.read(a.box), npy.read(a.truth)
    classes, cells, length = shape[3] - 1, shape[1] * shape[2], rows[1] * rows[2]
    names = a.classes or [f'class {k + 1}' for k in range(classes)]
    truth = [truths_of(values[n * length:(n + 1) * length]) for n in range(rows[0])]
    found = average_candidates(shape, truth) if a.average else [
        candidates_of(score[n * cells * shape[3]:(n + 1) * cells * shape[3]], box[n * cells * 4:(n + 1) * cells * 4],
                      classes) for n in range(shape[0])]
    areas = []
    for k in range(1, classes + 1):
        if not any(one[0] == k for image in truth for one in image):
            continue
        area, right, said, wanted = average_precision(found, truth, k, a.iou)
        areas.append(area)
        print(f'{names[k - 1]:<12} {area:.3f}   {right} of {wanted} boxes found by {said} candidates')
    print(f'{"mean":<12} {sum(areas) / max(1, len(areas)):.3f}   average precision at IoU {a.iou:g}, {shape[0]} images')
    if a.draw:
        draw(a.draw, a.images, found, truth, a.first, min(a.count, shape[0] - a.first))


if __name__ == '__main__':
    main()
