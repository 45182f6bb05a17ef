#!/usr/bin/env python3
"""Compares 50 steps of each optimizer on examples/optimizers/optimizers.dl with the numbers that PyTorch gave, kept in
golden/optimizers.json by torch_optimizers.py. Needs nothing but Python.

Tolerances: each loss, which is logged to six digits, within 1e-5 of PyTorch's; of each tensor after 50 steps its length and
its product with a fixed vector within 2e-6 of the length, its first and last elements within 2e-6 of its largest.
"""
import json
import os
import sys
import tempfile

import common
import optimizers

LOSS, WEIGHTS = 1e-5, 2e-6


def off_of(found, kept):
    """How far a tensor is from the kept one, as a part of the kept one's size."""
    if found['shape'] != kept['shape']:
        return float('inf')
    off = max(abs(found[part] - kept[part]) / kept['norm'] for part in ('norm', 'dot'))
    ends = zip(found['head'] + found['tail'], kept['head'] + kept['tail'])
    return max(off, *(abs(a - b) / kept['largest'] for a, b in ends))


def check(name, kept, folder):
    losses, weights = optimizers.train(name, folder)
    loss_off = max(abs(a - b) for a, b in zip(losses, kept['losses'])) if len(losses) == len(kept['losses']) else float('inf')
    weight_off = max(off_of(common.summary(*weights[tensor]), kept['tensors'][tensor]) for tensor in kept['tensors'])
    wrong = loss_off > LOSS or weight_off > WEIGHTS
    print(f'{name}: {len(losses)} losses within {loss_off:.1e}, weights within {weight_off:.1e}{": WRONG" if wrong else ""}')
    return wrong


if __name__ == '__main__':
    with open(optimizers.GOLDEN) as f:
        golden = json.load(f)
    with tempfile.TemporaryDirectory() as scratch:
        found = [check(name, golden['optimizers'][name], scratch) for name in sys.argv[1:] or optimizers.OPTIMIZERS]
    print(f'{len(found)} optimizers, {sum(found)} wrong')
    sys.exit(any(found))
