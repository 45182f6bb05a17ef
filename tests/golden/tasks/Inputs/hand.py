"""hand.py FOLDER: boxes on a grid of 1 by 3 cells in two images, and what is found there, worked out in score.test."""
import math
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), *['..'] * 4, 'examples', 'convert'))
import npy  # noqa: E402

# Scores as logarithms of the probabilities of no box, class 1, class 2.
sure = [[(0.05, 0.90, 0.05), (0.20, 0.80, 1e-9), (0.96, 0.02, 0.02)],
        [(0.30, 0.70, 1e-9), (0.40, 0.60, 1e-9), (0.495, 0.005, 0.50)]]
# x and y of the middle, width, height.
boxes = [[(0.2, 0.5, 0.2, 0.4), (0.21, 0.5, 0.2, 0.4), (0.8, 0.5, 0.2, 0.4)],
         [(0.5, 0.5, 0.2, 0.4), (0.8, 0.5, 0.2, 0.4), (0.8, 0.5, 0.1, 0.1)]]
# Class and box; the last is a filler.
truth = [[(1, 0.2, 0.5, 0.2, 0.4), (1, 0.8, 0.55, 0.2, 0.4), (0, 0, 0, 0, 0)],
         [(1, 0.8, 0.5, 0.2, 0.4), (2, 0.8, 0.5, 0.1, 0.1), (1, 0.5, 0.9, 0.2, 0.2)]]


def flat(rows):
    return [value for image in rows for row in image for value in row]


npy.write(os.path.join(sys.argv[1], 's.npy'), (2, 1, 3, 3), [math.log(p) for p in flat(sure)])
npy.write(os.path.join(sys.argv[1], 'b.npy'), (2, 1, 3, 4), flat(boxes))
npy.write(os.path.join(sys.argv[1], 't.npy'), (2, 3, 5), flat(truth))
npy.write(os.path.join(sys.argv[1], 'i.npy'), (2, 4, 6, 3), [0.5, 0.2, 0.1] * 48)
