"""neighbours.py make FOLDER: points on a grid, so that distances and votes tie often. neighbours.py check FOLDER FILE: the
search's JSON against plain loops. neighbours.py far FOLDER: held.dl's results."""
import json
import os
import struct
import sys
from array import array

FOLDS = 4


def points(seed, count):
    state, rows, labels = seed, [], []
    for _ in range(count):
        row = []
        for _ in range(3):
            state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
            row.append((state >> 60) % 6)
        rows.append(row)
        labels.append((row[0] + row[1] // 3 + (state >> 50) % 2) % 3)
    return rows, labels


def write(path, kind, shape, values):
    header = str({'descr': kind, 'fortran_order': False, 'shape': shape}).encode()
    header += b' ' * (-(len(header) + 11) % 64) + b'\n'
    with open(path, 'wb') as f:
        f.write(b'\x93NUMPY\x01\x00' + struct.pack('<H', len(header)) + header)
        f.write(array('f' if kind == '<f4' else 'i', values).tobytes())


def predict(row, seen, labels, k, distance):
    power = 1 if distance == 'l1' else 2
    far = [sum(abs(a - b) ** power for a, b in zip(row, other)) for other in seen]
    nearest = sorted(range(len(seen)), key=lambda m: (far[m], m))[:k]
    votes = [sum(labels[m] == c for m in nearest) for c in range(3)]
    return votes.index(max(votes))


def accuracy(rows, labels, seen, seen_labels, k, distance):
    return sum(predict(r, seen, seen_labels, k, distance) == l for r, l in zip(rows, labels)) / len(rows)


def main():
    train, test = points(1, 62), points(2, 30)
    if sys.argv[1] == 'make':
        for name, (rows, labels) in (('', train), ('test-', test)):
            write(os.path.join(sys.argv[2], name + 'x.npy'), '<f4', (len(rows), 3), [v for row in rows for v in row])
            write(os.path.join(sys.argv[2], name + 'label.npy'), '<i4', (len(rows),), labels)
        return

    if sys.argv[1] == 'far':
        near, last = (open(os.path.join(sys.argv[2], name), 'rb').read() for name in ('near.npy', 'last.npy'))
        assert b"'shape': (30, 62)" in near and b"'shape': (62,)" in last, (near[:80], last[:80])
        want = [sum(abs(a - b) for a, b in zip(row, other)) for row in test[0] for other in train[0]]
        assert list(array('f', near[-30 * 62 * 4:])) == want
        assert list(array('i', last[-62 * 4:])) == [label + 1 for label in train[1]]
        return

    found = json.load(open(sys.argv[3]))
    edges = [len(train[0]) * f // FOLDS for f in range(FOLDS + 1)]
    assert len(found['candidates']) == 8
    for candidate in found['candidates']:
        k, distance = int(candidate['values']['k']), candidate['values']['distance']
        want = []
        for a, b in zip(edges, edges[1:]):
            seen = train[0][:a] + train[0][b:], train[1][:a] + train[1][b:]
            want.append(accuracy(train[0][a:b], train[1][a:b], *seen, k, distance))
        mean = sum(want) / FOLDS
        std = (sum((w - mean) ** 2 for w in want) / FOLDS) ** 0.5
        for x, y in zip(candidate['scores'] + [candidate['mean'], candidate['std']], want + [mean, std]):
            assert abs(x - y) < 1e-6, (candidate, want)
    best = max(found['candidates'], key=lambda c: c['mean'])
    assert found['best'] == best, found['best']
    want = accuracy(*test, *train, int(best['values']['k']), best['values']['distance'])
    assert abs(found['test'] - want) < 1e-6, (found['test'], want)
    # Of one row, on what it has seen, every prediction is right where no two points of different labels meet.
    print('equal')


if __name__ == '__main__':
    main()
