#!/usr/bin/env python3
"""Makes golden/optimizers.json: PyTorch's loss at each of 50 steps of examples/optimizers/optimizers.dl under each optimizer,
and a summary of the weights after them, from dlc's first weights on dlc's drawn digits. PyTorch has eps outside the root alone;
inside it, the textbook's update is written out here. Prints how far dlc is from it. Needs PyTorch.
"""
import json
import os
import sys
import tempfile

import torch
import torch.nn.functional as F

import common
import optimizers

# Hands out rows of the data set by number.
DUMP = '''
data digits { train = digits("train", count = %d) }

model dump(row: i32[N]) {
  memory image: f32[M, 28, 28, 1] = digits.train.image
  memory label: i32[M] = digits.train.label
  pixels = gather(image, row)
  digit = gather(label, row)
  return pixels, digit
}
''' % optimizers.ROWS

torch.set_num_threads(1)


def read_npy(path, kind):
    with open(path, 'rb') as f:
        raw = f.read()
    return torch.frombuffer(bytearray(raw[10 + int.from_bytes(raw[8:10], 'little'):]), dtype=kind)


def drawn_digits(folder):
    program, rows, pixels, digit = (os.path.join(folder, name) for name in ('dump.dl', 'rows.npy', 'pixels.npy', 'digit.npy'))
    with open(program, 'w') as f:
        f.write(DUMP)
    common.write_npy(rows, '<i4', [optimizers.ROWS], range(optimizers.ROWS))
    common.run_dlc('predict', program, '--input', 'row=' + rows, '--output', f'pixels={pixels},digit={digit}')
    return read_npy(pixels, torch.float32).reshape(-1, 1, 28, 28), read_npy(digit, torch.int32).long()


class Inside(torch.optim.Optimizer):
    """AdaGrad, RMSProp and Adam with eps under the root: w -= lr m / sqrt(s + eps)."""

    def __init__(self, params, lr, eps, kind):
        super().__init__(params, {'lr': lr, 'eps': eps, 'kind': kind})
        self.t = 0

    @torch.no_grad()
    def step(self):
        self.t += 1
        for group in self.param_groups:
            for w in group['params']:
                state = self.state[w]
                if not state:
                    state['m'], state['s'] = torch.zeros_like(w), torch.zeros_like(w)
                m, s, g = state['m'], state['s'], w.grad
                if group['kind'] == 'adagrad':
                    s.add_(g * g)
                    w.sub_(group['lr'] * g / (s + group['eps']).sqrt())
                elif group['kind'] == 'rmsprop':
                    s.mul_(0.9).add_(g * g, alpha=0.1)
                    w.sub_(group['lr'] * g / (s + group['eps']).sqrt())
                else:
                    m.mul_(0.9).add_(g, alpha=0.1)
                    s.mul_(0.999).add_(g * g, alpha=0.001)
                    w.sub_(group['lr'] * m / (1 - 0.9**self.t) / (s / (1 - 0.999**self.t) + group['eps']).sqrt())


def make(name, w, b):
    """w decays, b does not."""
    both = w + b
    return {
        'sgd': lambda: torch.optim.SGD(both, lr=0.1),
        'momentum-90': lambda: torch.optim.SGD(both, lr=0.1, momentum=0.9),
        'momentum-99': lambda: torch.optim.SGD(both, lr=0.1, momentum=0.99),
        'nesterov': lambda: torch.optim.SGD(both, lr=0.1, momentum=0.9, nesterov=True),
        'adagrad': lambda: torch.optim.Adagrad(both, lr=0.02),
        'rmsprop': lambda: torch.optim.RMSprop(both, lr=0.005, alpha=0.9),
        'adam': lambda: torch.optim.Adam(both, lr=0.005),
        'adamw': lambda: torch.optim.AdamW([{'params': w, 'weight_decay': 0.5}, {'params': b, 'weight_decay': 0}], lr=0.005),
        'adagrad-outside': lambda: torch.optim.Adagrad(both, lr=0.02, eps=0.01),
        'adagrad-inside': lambda: Inside(both, 0.02, 0.01, 'adagrad'),
        'rmsprop-outside': lambda: torch.optim.RMSprop(both, lr=0.005, alpha=0.9, eps=0.01),
        'rmsprop-inside': lambda: Inside(both, 0.005, 0.01, 'rmsprop'),
        'adam-outside': lambda: torch.optim.Adam(both, lr=0.005, eps=0.01),
        'adam-inside': lambda: Inside(both, 0.005, 0.01, 'adam'),
    }[name]()


def train(name, first, pixels, digit):
    named = {n: torch.tensor(list(data)).reshape(shape).requires_grad_() for n, (shape, data) in first.items()}
    w1, b1, w2, b2 = named.values()
    step, losses = make(name, [w1, w2], [b1, b2]), []
    for k in range(optimizers.STEPS):
        rows = slice(k * optimizers.BATCH, (k + 1) * optimizers.BATCH)
        x = F.avg_pool2d(pixels[rows], 2).flatten(1)
        loss = F.cross_entropy(torch.tanh(x @ w1 + b1) @ w2 + b2, digit[rows])
        step.zero_grad()
        loss.backward()
        step.step()
        losses.append(loss.item())
    return losses, {n: (list(t.shape), t.detach().flatten().tolist()) for n, t in named.items()}


if __name__ == '__main__':
    kept = {}
    with tempfile.TemporaryDirectory() as scratch:
        image, label = drawn_digits(scratch)
        for optimizer in optimizers.OPTIMIZERS:
            losses, tensors = train(optimizer, optimizers.first_weights(scratch), image, label)
            mine, weights = optimizers.train(optimizer, scratch)
            off = max(abs(a - b) for a, b in zip(mine, losses))
            parted = max(abs(a - b) for n in tensors for a, b in zip(weights[n][1], tensors[n][1]))
            print(f'{optimizer}: losses {losses[0]:.4f} to {losses[-1]:.4f}, dlc within {off:.1e}; weights within {parted:.1e}')
            kept[optimizer] = {'losses': losses, 'tensors': {n: common.summary(*t) for n, t in tensors.items()}}
    with open(optimizers.GOLDEN, 'w') as f:
        json.dump({'torch': torch.__version__.split('+')[0], 'optimizers': kept}, f, indent=1)
        f.write('\n')
    sys.exit(0)
