#!/usr/bin/env python3
"""Compares the standard library's values and gradients with PyTorch's numbers as kept in golden/std.json. Plain Python.

  check_std.py      DLC names the binary (default: build/dlc)
"""
import json
import os
import sys
import tempfile

import common
import std_cases
from check_golden import tensor_wrong

KEPT = os.path.join(common.HERE, 'golden', 'std.json')


def tensors(group):
    """{input: (shape, classes, values)}, each from a stream of its own."""
    out = {}
    for name, _, specs in std_cases.GROUPS[group]:
        for item, spec in specs.items():
            shape, classes, _ = std_cases.shape_of(spec)
            values = common.numbers(100 + len(out), common.count_of(shape))
            out[f'{name}_{item}'] = shape, classes, [int((v + 1) / 2 * classes) for v in values] if classes else values
    return out


def write_inputs(group, folder):
    names = []
    for name, (shape, classes, values) in tensors(group).items():
        path = os.path.join(folder, name + '.npy')
        common.write_npy(path, '<i4' if classes else '<f4', shape, values)
        names.append(f'{name}={path}')
    return names


def cotangent(name, count):
    return common.numbers(sum(name.encode()) + 1000, count)


def write_cotangents(group, shapes, folder):
    names = []
    for name, _, _ in std_cases.GROUPS[group]:
        path = os.path.join(folder, f'cotangent.{name}.npy')
        common.write_npy(path, '<f4', shapes[name], cotangent(name, common.count_of(shapes[name])))
        names.append(f'cotangent.of_{name}={path}')
    return names


def read_npy(path):
    """(shape, flat list) of float32 or int32."""
    with open(path, 'rb') as f:
        raw = f.read()
    length = int.from_bytes(raw[8:10], 'little')
    header = eval(raw[10:10 + length].decode(), {}, {})
    data = common.array('f' if header['descr'] == '<f4' else 'i')
    data.frombytes(raw[10 + length:])
    return list(header['shape']), list(data)


def run_group(group, shapes, folder):
    """{'value.NAME', 'grad.INPUT', 'grad.PARAMETER': (shape, values)} from the compiled kernels."""
    path = os.path.join(folder, 'std.dl')
    with open(path, 'w') as f:
        f.write(std_cases.program())
    inputs = write_inputs(group, folder)
    if group == 'choices':
        outputs = [(name, os.path.join(folder, f'of_{name}.npy')) for name, _, _ in std_cases.GROUPS[group]]
        common.run_dlc('predict', path, '--model', group, '--input', ','.join(inputs), '--output',
                       ','.join(f'of_{name}={to}' for name, to in outputs))
        return {'value.of_' + name: read_npy(to) for name, to in outputs}
    weights = os.path.join(folder, group + '.w')
    common.run_dlc('init', path, '--model', group, '--seed', '1', '-o', weights)
    out = os.path.join(folder, group + '.grads')
    inputs += write_cotangents(group, shapes, folder)
    common.run_dlc('grad', path, '--model', group, '--weights', weights, '--input', ','.join(inputs), '-o', out)
    return common.read_safetensors(out)


def main():
    wrong = count = 0
    with open(KEPT) as f:
        kept = json.load(f)
    with tempfile.TemporaryDirectory() as folder:
        for group in std_cases.GROUPS:
            found = run_group(group, kept['shapes'], folder)
            for name, expected in kept[group].items():
                count += 1
                if name not in found:
                    print(f'  {group}: {name} is missing')
                    wrong += 1
                else:
                    wrong += tensor_wrong(f'{group}: {name}', common.summary(*found[name]), expected, 1e-5)
    print(f'{sum(len(g) for g in std_cases.GROUPS.values())} cases, {count} tensors,', 'WRONG' if wrong else 'equal')
    return wrong


if __name__ == '__main__':
    sys.exit(bool(main()))
