"""neighbours.py labels DLC FOLDER OUT: every label that examples/neighbours gives the test images is scikit-learn's.
neighbours.py table FILE: a search's JSON has scikit-learn's accuracies, but for as many answers as have a tie at the k-th place,
where dlc takes the lower row and scikit-learn either."""
import json
import os
import struct
import subprocess
import sys
from array import array

HERE = os.path.dirname(os.path.abspath(__file__))
EXAMPLES = os.path.join(HERE, '..', '..', '..', '..', 'examples', 'neighbours')
PIXELS, TESTED = 32 * 32, 1000  # rows of the test split, and of each that is held out


def write_images(source, path):
    """CIFAR-10's binary rows (a label, then three planes) as f32 [N, 32, 32, 3]."""
    with open(source, 'rb') as f:
        raw = f.read(TESTED * (1 + 3 * PIXELS))
    values = array('f')
    for row in range(TESTED):
        red = row * (1 + 3 * PIXELS) + 1
        for at in range(red, red + PIXELS):
            values.extend((raw[at], raw[at + PIXELS], raw[at + 2 * PIXELS]))
    header = str({'descr': '<f4', 'fortran_order': False, 'shape': (TESTED, 32, 32, 3)}).encode()
    header += b' ' * (-(len(header) + 11) % 64) + b'\n'
    with open(path, 'wb') as f:
        f.write(b'\x93NUMPY\x01\x00' + struct.pack('<H', len(header)) + header + values.tobytes())


def labels(dlc, data, out):
    images, found = os.path.join(out, 'images.npy'), os.path.join(out, 'labels.npy')
    write_images(os.path.join(data, 'cifar10', 'test_batch_first1000.bin'), images)
    for distance, by_k in wanted.items():
        for k, numbers in by_k.items():
            subprocess.run([dlc, 'predict', os.path.join(EXAMPLES, 'cifar_neighbours.dl'), '--data', data, '--input',
                            'image=' + images, '--output', found, '--set', 'k=' + k, '--set', 'distance=' + distance],
                           check=True)
            with open(found, 'rb') as f:
                said = array('i', f.read()[-4 * TESTED:])
            assert ''.join(map(str, said)) == numbers['labels'], (distance, k)
    print('12 x 1000 labels equal')


def table(path):
    with open(path, encoding='utf-8') as f:
        candidates = json.load(f)['candidates']
    assert len(candidates) == 12
    for candidate in candidates:
        numbers = wanted[candidate['values']['distance']][candidate['values']['k']]
        want = numbers['folds'] if len(candidate['scores']) > 1 else numbers['valid']
        for found, (accuracy, ties) in zip(candidate['scores'], want, strict=True):
            assert abs(found - accuracy) * TESTED < ties + 1e-3, (candidate, want)
    print('12 rows equal')


with open(os.path.join(HERE, 'neighbours_cifar.json'), encoding='utf-8') as numbers_file:
    wanted = json.load(numbers_file)
if sys.argv[1] == 'labels':
    labels(*sys.argv[2:])
else:
    table(*sys.argv[2:])
