"""accuracy.py SCORES.npy LABELS.npy EVAL: is the accuracy of these files the one that `dlc eval` printed there?"""
import re
import sys
from array import array


def values(path, code):
    with open(path, 'rb') as f:
        content = f.read()
    found = array(code)
    found.frombytes(content[10 + int.from_bytes(content[8:10], 'little'):])
    return found


scores, labels = values(sys.argv[1], 'f'), values(sys.argv[2], 'i')
rows = [list(scores[10 * k:10 * k + 10]) for k in range(len(labels))]
right = sum(row.index(max(row)) == label for row, label in zip(rows, labels)) / len(labels)
with open(sys.argv[3], encoding='utf-8') as f:
    printed = float(re.search(r'accuracy ([0-9.]+)', f.read()).group(1))
print('the same' if abs(right - printed) < 1e-6 else f'{right} is not {printed}')
