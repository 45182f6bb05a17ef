#!/usr/bin/env python3
"""Compares dlc with PyTorch's numbers as kept in golden/. Exit 0 when all agree.

  check_golden.py [NETWORK...]      DLC names the binary (default: build/dlc)
"""
import json
import os
import sys
import tempfile

import common


def near(name, found, expected, scale, tolerance):
    """Prints and returns True where |found - expected| > tolerance * scale."""
    wrong = not abs(found - expected) <= tolerance * max(scale, 1e-30)
    if wrong:
        print(f'  {name}: {found!r}, PyTorch {expected!r}, allowed {tolerance * scale:.3g}')
    return wrong


def tensor_wrong(name, found, kept, tolerance):
    if found['shape'] != kept['shape']:
        print(f'  {name}: shape {found["shape"]}, PyTorch {kept["shape"]}')
        return True
    largest, norm = kept['largest'], kept['norm']
    wrong = near(name + ' norm', found['norm'], norm, norm, tolerance)
    wrong |= near(name + ' dot', found['dot'], kept['dot'], norm, tolerance)
    for part in ('head', 'tail'):
        for k, (a, b) in enumerate(zip(found[part], kept[part])):
            wrong |= near(f'{name} {part}[{k}]', a, b, largest, tolerance)
    return wrong


def check(name):
    with open(os.path.join(common.HERE, 'golden', name + '.json')) as f:
        kept = json.load(f)
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        common.make_inputs(name, folder)
        weights = common.dlc_init(name, folder)
        found = common.dlc_grad(name, folder, weights)
        for tensor, expected in kept['tensors'].items():
            if tensor not in found:
                print(f'  {tensor} is missing')
                wrong += 1
            else:
                wrong += tensor_wrong(tensor, common.summary(*found[tensor]), expected, 1e-4)
        for optimizer, expected in kept['losses'].items():
            losses = common.dlc_losses(name, folder, weights, optimizer)
            wrong += len(losses) != len(expected)
            for k, (a, b) in enumerate(zip(losses, expected)):
                wrong += near(f'{optimizer} loss {k + 1}', a, b, max(abs(b), 0.1), 1e-3)
    print(f'{name}: {len(kept["tensors"])} tensors, {len(kept["losses"])} optimizers,', 'WRONG' if wrong else 'equal')
    return wrong


if __name__ == '__main__':
    sys.exit(any([check(name) for name in sys.argv[1:] or common.NETWORKS]))
