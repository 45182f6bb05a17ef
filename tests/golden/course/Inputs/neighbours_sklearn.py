#!/usr/bin/env python3
"""Makes neighbours_cifar.json: what scikit-learn's KNeighborsClassifier says of examples/neighbours, on the same rows. Needs
scikit-learn, NumPy, a built dlc (which gives the rows of its split) and the data.

  neighbours_sklearn.py DLC FOLDER        FOLDER holds cifar10/

The file has, by distance and k, the 1,000 test images' labels as one string of digits, and for the folds of 5-fold
cross-validation and for the validation split the accuracy and the number of ties: images whose k-th and next neighbour are
equally far, of which scikit-learn takes either."""
import json
import os
import subprocess
import sys
import tempfile

import numpy as np
from sklearn.neighbors import KNeighborsClassifier

HERE = os.path.dirname(os.path.abspath(__file__))
PROGRAM = os.path.join(HERE, '..', '..', '..', '..', 'examples', 'neighbours', 'cifar_neighbours.dl')
METRICS = {'l1': 'manhattan', 'l2': 'euclidean'}
KS = [1, 3, 5, 7, 11, 21]
ROWS = '''use "{program}"
model rows(one: f32) {{
  memory seen:  f32[M, 32, 32, 3] = cifar.{split}.image
  memory label: i32[M]            = cifar.{split}.label
  images = seen * one
  labels = label * 1
  return images, labels
}}
'''


def rows_of(dlc, data, split):
    """The images and labels of a split, in its order."""
    with tempfile.TemporaryDirectory() as folder:
        program, one, images, labels = (os.path.join(folder, name) for name in ('rows.dl', 'one.npy', 'x.npy', 'y.npy'))
        with open(program, 'w', encoding='utf-8') as f:
            f.write(ROWS.format(program=PROGRAM, split=split))
        np.save(one, np.array(1, 'f4'))
        subprocess.run([dlc, 'predict', program, '--model', 'rows', '--data', data, '--input', f'one={one}',
                        '--output', f'images={images},labels={labels}'], check=True)
        x = np.load(images)
        return x.reshape(len(x), -1), np.load(labels)


def accuracies(seen, labels, held, wanted):
    """By distance and k: the accuracy, and how many rows have a tie at the k-th place. scikit-learn's neighbours are looked up
    once, for the largest k and one more."""
    found = {}
    for name, metric in METRICS.items():
        model = KNeighborsClassifier(max(KS) + 1, metric=metric, algorithm='brute', n_jobs=2).fit(seen, labels)
        far, places = model.kneighbors(held)
        near = labels[places]
        for k in KS:
            votes = np.stack([(near[:, :k] == c).sum(1) for c in range(10)], axis=1)
            found[name, k] = float((votes.argmax(1) == wanted).mean()), int((far[:, k - 1] == far[:, k]).sum())
    return found


def main():
    dlc, data = sys.argv[1:]
    (seen, labels), (valid, valid_labels), (test, _) = (rows_of(dlc, data, s) for s in ('train', 'valid', 'test'))
    edges = [len(seen) * fold // 5 for fold in range(6)]
    folds = []
    for a, b in zip(edges, edges[1:]):
        rest = np.r_[0:a, b:len(seen)]
        folds.append(accuracies(seen[rest], labels[rest], seen[a:b], labels[a:b]))
    by_valid = accuracies(seen, labels, valid, valid_labels)
    result = {}
    for name, metric in METRICS.items():
        for k in KS:
            model = KNeighborsClassifier(k, metric=metric, algorithm='brute').fit(seen, labels)
            result.setdefault(name, {})[str(k)] = {'labels': ''.join(map(str, model.predict(test))),
                                                   'folds': [fold[name, k] for fold in folds], 'valid': [by_valid[name, k]]}
    with open(os.path.join(HERE, 'neighbours_cifar.json'), 'w', encoding='utf-8') as f:
        json.dump(result, f, indent=0)
        f.write('\n')


main()
