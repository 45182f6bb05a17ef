#!/usr/bin/env python3
"""Where convolutions in transformed tiles pay: for each layer, how many times faster than the direct sum they are, forward
and for both gradients, and their effective GFLOP/s (those of the direct sum) as shares of the FMA peak in the same run.

  winograd.py [--dlc DLC] [--threads 2] [--seconds 0.3] [--rounds 3] [--only WORD]

dlc takes tiles where passes/winograd.c says so. To measure layers below its limits, build a copy with the limits down,
`cmake -S . -B build-limits -DCMAKE_C_FLAGS=-DWINOGRAD_MIN_CHANNELS=4`, and pass --dlc build-limits/dlc; a layer that goes
the direct way either way shows 1.00.
"""
import argparse
import os
import tempfile

import contractions

# name: size, input channels, output channels, window, batch
LAYERS = {
    'few channels 6-16 5x5': (14, 6, 16, 5, 64),
    '8-8': (32, 8, 8, 3, 64),
    '8-16': (32, 8, 16, 3, 64),
    '12-12': (32, 12, 12, 3, 64),
    '15-15': (32, 15, 15, 3, 64),
    '16-16': (32, 16, 16, 3, 64),
    '24-24': (16, 24, 24, 3, 64),
    'odd size 3': (3, 64, 64, 3, 64),
    'odd size 5': (5, 64, 64, 3, 64),
    'odd size 7': (7, 64, 64, 3, 64),
    'odd size 9': (9, 64, 64, 3, 64),
    'odd size 13': (13, 64, 64, 3, 32),
    'odd size 14': (14, 64, 64, 3, 32),
    'odd size 15': (15, 64, 64, 3, 32),
    'many 256-256': (14, 256, 256, 3, 32),
    'many 384-384': (13, 384, 384, 3, 16),
    'many 512-512 8': (8, 512, 512, 3, 32),
    'many 512-512 14': (14, 512, 512, 3, 8),
    '5x5 16-32': (14, 16, 32, 5, 64),
    '5x5 32-64': (16, 32, 64, 5, 64),
    '5x5 96-256': (27, 96, 256, 5, 16),
    'one image 16-16': (32, 16, 16, 3, 1),
    'one image 64-64': (32, 64, 64, 3, 1),
    'one image 64-64 8': (8, 64, 64, 3, 1),
    'one image 256-256': (14, 256, 256, 3, 1),
    'one image 512-512': (14, 512, 512, 3, 1),
    'one image 5x5': (27, 96, 256, 5, 1),
}


def measure(a, path, batch, conv):
    """Microseconds forward (of inference), of the gradient of the input and of the weights, the best of the rounds."""
    best = {}
    for _ in range(a.rounds):
        times = {}
        for mode in ('train', 'infer'):
            kernels = contractions.kernel_times(a, path, mode=mode, batch=batch, conv=conv)
            times[mode] = contractions.of_layer(kernels, 'conv2d_1')
        for what, time in dict(times['train'], forward=times['infer']['forward']).items():
            best[what] = min(best.get(what, 1e30), time)
    return best


def main():
    p = argparse.ArgumentParser()
    p.add_argument('--dlc', default=os.path.join(contractions.HERE, '..', '..', 'build', 'dlc'))
    p.add_argument('--threads', type=int, default=2)
    p.add_argument('--seconds', type=float, default=0.3)
    p.add_argument('--rounds', type=int, default=3)
    p.add_argument('--only', default='')
    a = p.parse_args()
    print(f'{"layer":22} {"size":>4} {"batch":>5}   {"forward":>14} {"d input":>14} {"d weights":>14}   direct/tiles, peak')
    with tempfile.TemporaryDirectory() as folder:
        machine = contractions.Machine(a.threads, folder)
        path = os.path.join(folder, 'layer.dl')
        for name, (size, c, o, k, batch) in LAYERS.items():
            if a.only not in name:
                continue
            layer = f'batch_norm |> conv2d({o}, {k}, pad = {k // 2}, bias = false)'
            with open(path, 'w') as f:
                f.write(contractions.TRAINING.format(shape=f'{size}, {size}, {c}', layer=layer))
            peak = machine.peak()
            direct, tiles = measure(a, path, batch, 'direct'), measure(a, path, batch, 'auto')
            flops = 2 * batch * size * size * k * k * c * o
            cells = ''
            for what in ('forward', 'input', 'weights'):
                cells += f' {direct[what] / tiles[what]:7.2f} {100 * flops / (tiles[what] * 1e3) / peak:5.0f}%'
            print(f'{name:22} {size:4} {batch:5}  {cells}   of {peak:.0f}', flush=True)


if __name__ == '__main__':
    main()
