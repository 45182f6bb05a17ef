#!/usr/bin/env python3
"""Product-sums one by one: forward, gradient of the input, gradient of the weights, as shares of the FMA peak that peak.c
reaches in the same run, before and after each layer; and dense layers of one row as shares of the bandwidth of reading.

  contractions.py [--dlc DLC] [--threads 1] [--seconds 0.3] [--rounds 3] [--batch 1,16] [--only WORD]

Convolutions are measured direct (--conv direct). The best of the rounds counts. Run it on a quiet machine.
"""
import argparse
import json
import os
import re
import subprocess
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))

# name: height, width, input channels, output channels, window, stride, pad
CONVOLUTIONS = {
    '3x3 56 64': (56, 56, 64, 64, 3, 1, 1),
    '3x3 32 32': (32, 32, 32, 32, 3, 1, 1),
    '3x3 32 64': (32, 32, 64, 64, 3, 1, 1),
    '3x3 28 128': (28, 28, 128, 128, 3, 1, 1),
    '3x3 16 128': (16, 16, 128, 128, 3, 1, 1),
    '3x3 14 256': (14, 14, 256, 256, 3, 1, 1),
    '3x3 13 384': (13, 13, 384, 256, 3, 1, 1),
    '3x3 8 64': (8, 8, 64, 64, 3, 1, 1),
    '3x3 8 256': (8, 8, 256, 256, 3, 1, 1),
    '3x3/2 32 32-64': (32, 32, 32, 64, 3, 2, 1),
    '1x1 28 256-64': (28, 28, 256, 64, 1, 1, 0),
    '1x1 14 1024-256': (14, 14, 1024, 256, 1, 1, 0),
    '1x1/2 32 32-64': (32, 32, 32, 64, 1, 2, 0),
    '5x5 27 96-256': (27, 27, 96, 256, 5, 1, 2),
    '11x11/4 227 3-96': (227, 227, 3, 96, 11, 4, 0),
    '3x3 32 3-32': (32, 32, 3, 32, 3, 1, 1),
    '5x5 28 1-6': (28, 28, 1, 6, 5, 1, 2),
    '5x5 14 6-16': (14, 14, 6, 16, 5, 1, 0),
}
# rows, inputs, outputs
PRODUCTS = [(256, 256, 256), (256, 512, 512), (256, 2048, 2048), (64, 784, 128), (16, 4096, 4096)]
MATRICES = [(2048, 2048), (4096, 4096), (9216, 4096)]

TRAINING = '''model m(x: f32[N, {shape}]) {{ x |> {layer} }}
data random {{ train {{ x = npy("x.npy") }} }}
train m on random {{ loss = mean(square(m(x)))  optimizer = sgd(lr = 1e-6) }}
'''


class Machine:
    def __init__(self, threads, folder):
        self.threads = threads
        self.program = os.path.join(folder, 'peak')
        source = os.path.join(HERE, 'peak.c')
        subprocess.run(['cc', '-O3', '-march=native', source, '-o', self.program, '-lpthread'], check=True)

    def peak(self, what='gflops', seconds=0.05):
        line = subprocess.run([self.program, str(self.threads), str(seconds), what], capture_output=True, text=True)
        return json.loads(line.stdout)[what]


def bench(a, path, **options):
    """The line of `dlc bench --json` for a program; options are dlc's, True for one without a value."""
    command = [a.dlc, 'bench', path, '--seconds', str(a.seconds), '--json']
    for name, value in options.items():
        command += [f'--{name}'] if value is True else [f'--{name}', str(value)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout)


def kernel_times(a, path, **options):
    """Microseconds of each kernel."""
    line = bench(a, path, threads=a.threads, profile=True, **options)
    return {kernel['kernel']: kernel['us'] for kernel in line['kernels']}


def profile(a, folder, text, batch, mode):
    """The same for a program's text, the best of the rounds, convolutions direct."""
    path = os.path.join(folder, 'layer.dl')
    with open(path, 'w') as f:
        f.write(text)
    best = {}
    for _ in range(a.rounds):
        for kernel, time in kernel_times(a, path, mode=mode, batch=batch, conv='direct').items():
            best[kernel] = min(best.get(kernel, 1e30), time)
    return best


def of_layer(times, layer):
    """Forward, gradient of the input, gradient of the weights."""
    found = {'forward': None, 'input': None, 'weights': None}
    for name, time in times.items():
        if name == f'd.{layer}.w':
            found['weights'] = time
        elif re.fullmatch(rf'd\.{layer}(\..*)?', name) and not name.endswith('.b'):
            found['input'] = time
        elif re.fullmatch(rf'{layer}(\..*)?', name) and not name.endswith('.pack'):
            found['forward'] = time
    return found


def row(name, batch, flops, input_flops, found, peak):
    shares = ''
    for what, time in found.items():
        share = (input_flops if what == 'input' else flops) / (time * 1e3) / peak if time else None
        shares += f' {100 * share:8.0f}%' if time else f' {"-":>9}'
    print(f'{name:18} {batch:5} {flops / 1e6:9.1f}{shares}  of {peak:.0f}', flush=True)


def main():
    p = argparse.ArgumentParser()
    p.add_argument('--dlc', default=os.path.join(HERE, '..', '..', 'build', 'dlc'))
    p.add_argument('--threads', type=int, default=1)
    p.add_argument('--seconds', type=float, default=0.3)
    p.add_argument('--rounds', type=int, default=3)
    p.add_argument('--batch', default='1,16')
    p.add_argument('--only', default='')
    a = p.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        machine = Machine(a.threads, folder)
        print(f'{"layer":18} {"batch":>5} {"MFLOP":>9} {"forward":>9} {"d input":>9} {"d weights":>9}  GFLOP/s')

        def measure(name, layer, kernel, shape, batch, flops, input_flops):
            if a.only not in name:
                return
            before = machine.peak()
            times = profile(a, folder, TRAINING.format(shape=shape, layer=layer), batch, 'train')
            row(name, batch, flops, input_flops, of_layer(times, kernel), (before + machine.peak()) / 2)

        for name, (h, w, c, o, k, stride, pad) in CONVOLUTIONS.items():
            oh, ow = ((size + 2 * pad - k) // stride + 1 for size in (h, w))
            layer = f'batch_norm |> conv2d({o}, {k}, stride = {stride}, pad = {pad}, bias = false, round = floor)'
            for batch in map(int, a.batch.split(',')):
                flops = 2 * batch * oh * ow * k * k * c * o
                input_flops = flops if stride > 1 else 2 * batch * h * w * k * k * c * o  # over the padded gradient
                measure(name, layer, 'conv2d_1', f'{h}, {w}, {c}', batch, flops, input_flops)
        for m, k, n in PRODUCTS:
            layer = f'dense({k}, bias = false) |> dense({n}, bias = false)'
            measure(f'{m}x{k}x{n}', layer, 'dense_2', str(k), m, 2 * m * k * n, 2 * m * k * n)
        for k, n in MATRICES:
            name = f'1x{k}x{n}'
            if a.only not in name:
                continue
            kind = 'cache_gb_s' if k * n < 6e6 else 'read_gb_s'
            before = machine.peak(kind, 0.2)
            text = f'model m(x: f32[N, {k}]) {{ x |> dense({n}, bias = false) }}'
            time = min(profile(a, folder, text, 1, 'infer').values())
            after = machine.peak(kind, 0.2)
            rate = 4 * k * n / (time * 1e3)
            print(f'{name:18} {1:5} {rate:9.1f} GB/s, {100 * rate / ((before + after) / 2):.0f}% of a plain loop')


if __name__ == '__main__':
    main()
