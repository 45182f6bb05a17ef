"""scaled.py make FOLDER: points whose third feature grows with the row, so that folds have other deviations than the whole.
scaled.py check FOLDER FILE normalize|max: the search's JSON against plain loops, statistics of each fold's training part."""
import json
import os
import random
import sys

from neighbours import accuracy, write

FOLDS = 4


def points(seed, count):
    chance = random.Random(seed)
    rows, labels = [], []
    for n in range(count):
        label = chance.randrange(3)
        rows.append([label + chance.gauss(0, 0.6), chance.gauss(0, 1), chance.gauss(0, 1) * (1 + n * n / 40)])
        labels.append(label)
    return rows, labels


def scaled(how, rows, by):
    """The rows with the statistics of the rows `by`."""
    columns = list(zip(*by))
    if how == 'max':
        shift, scale = [0] * 3, [max(c) for c in columns]
    else:
        shift = [sum(c) / len(c) for c in columns]
        scale = [(sum((v - m) ** 2 for v in c) / len(c)) ** 0.5 for c, m in zip(columns, shift)]
    return [[(v - m) / s for v, m, s in zip(row, shift, scale)] for row in rows]


def fold_scores(how, k, train, per_fold):
    rows, labels = train
    edges = [len(rows) * f // FOLDS for f in range(FOLDS + 1)]
    for a, b in zip(edges, edges[1:]):
        kept, kept_labels = rows[:a] + rows[b:], labels[:a] + labels[b:]
        by = kept if per_fold else rows
        yield accuracy(scaled(how, rows[a:b], by), labels[a:b], scaled(how, kept, by), kept_labels, k, 'l2')


def main(command, folder, found=None, how=None):
    train, test = points(1, 81), points(2, 40)
    if command == 'make':
        for name, (rows, labels) in (('', train), ('test-', test)):
            write(os.path.join(folder, name + 'x.npy'), '<f4', (len(rows), 3), [v for row in rows for v in row])
            write(os.path.join(folder, name + 'label.npy'), '<i4', (len(rows),), labels)
        return
    with open(found, encoding='utf-8') as f:
        found = json.load(f)
    differ = False
    for candidate in found['candidates']:
        k = int(candidate['values']['k'])
        want, whole = (list(fold_scores(how, k, train, per_fold)) for per_fold in (True, False))
        assert max(abs(a - b) for a, b in zip(candidate['scores'], want)) < 1e-6, (k, candidate['scores'], want)
        differ |= want != whole
    assert differ, 'statistics of all rows would give the same'
    k = int(found['best']['values']['k'])
    want = accuracy(scaled(how, test[0], train[0]), test[1], scaled(how, train[0], train[0]), train[1], k, 'l2')
    assert abs(found['test'] - want) < 1e-6, (found['test'], want)
    print('equal')


main(*sys.argv[1:])
