#!/usr/bin/env python3
"""Compares dlc with PyTorch on whole networks; skips (exit 0) where PyTorch is missing.

  compare_torch.py [--write] [NETWORK...]

Prints, per network, the largest relative difference of forward values, gradients (relative to each tensor's largest element)
and losses. --write keeps PyTorch's numbers in golden/.
"""
import json
import os
import sys
import tempfile

import common

try:
    import torch
    import torch.nn.functional as F
except ImportError:
    print('skipped: PyTorch is not installed')
    sys.exit(0)

torch.set_num_threads(2)


class Parameters:
    """Hands out the parameters in the order in which the program declares them; checks the kind by its last name."""

    def __init__(self, named):
        self.named = [(n, t) for n, t in named.items() if n.rsplit('.', 1)[-1] not in ('mean', 'var')]
        self.at = 0

    def next(self, kind):
        name, tensor = self.named[self.at]
        assert name.rsplit('.', 1)[-1] == kind, f'{name} stands where a {kind} is expected'
        self.at += 1
        return tensor


def conv(p, x, bias=True, **options):
    w = p.next('w').permute(3, 2, 0, 1)
    return F.conv2d(x, w, p.next('b') if bias else None, **options)


def dense(p, x):
    w = p.next('w')
    return x @ w + p.next('b')


def norm(p, x):
    gamma = p.next('gamma')
    return F.batch_norm(x, None, None, gamma, p.next('beta'), training=True, eps=1e-5)


def flatten(x):
    """Channels-last order, as dlc's flatten sees it."""
    return x.permute(0, 2, 3, 1).flatten(1)


def mlp(p, x):
    return dense(p, F.relu(dense(p, F.elu(dense(p, x)))))


def lenet_tanh(p, x):
    x = F.avg_pool2d(torch.tanh(conv(p, x, padding=2)), 2)
    x = F.avg_pool2d(torch.tanh(conv(p, x)), 2)
    x = torch.tanh(dense(p, flatten(x)))
    x = torch.sigmoid(dense(p, x))
    return dense(p, x)


def tiles(p, x):
    x = torch.tanh(norm(p, conv(p, x, bias=False, padding=1)))
    x = F.silu(conv(p, x, padding=2))
    x = F.softplus(norm(p, conv(p, x, bias=False)))
    return dense(p, flatten(F.avg_pool2d(x, 2, 3)))


def conv_variants(p, x):
    x = F.relu(norm(p, conv(p, x, bias=False, padding=1)))
    x = F.leaky_relu(norm(p, conv(p, x, bias=False, stride=2, padding=1, groups=4)), 0.01)
    x = F.max_pool2d(x, 3, 1, padding=1)
    x = F.relu(norm(p, conv(p, x, bias=False, dilation=2, padding=2)))
    x = conv(p, x, stride=3)
    return dense(p, x.mean((2, 3)))


def resnet20(p, x):
    def block(x, stride):
        body = norm(p, conv(p, F.relu(norm(p, conv(p, x, False, stride=stride, padding=1))), False, padding=1))
        around = x if stride == 1 else norm(p, conv(p, x, False, stride=stride))
        return F.relu(body + around)
    x = F.relu(norm(p, conv(p, x, False, padding=1)))
    for stage in range(3):
        for i in range(3):
            x = block(x, 2 if stage > 0 and i == 0 else 1)
    return dense(p, x.mean((2, 3)))


def formula(p, x):
    w = p.next('w')  # [3, 3, C]
    x = F.conv2d(x, w.permute(2, 0, 1)[:, None], padding=1, groups=3)
    x = torch.sigmoid(F.max_pool2d(x, 3, 2))
    t = p.next('t')  # [count, D]
    x = flatten(x)
    d = (x[:, None, :] - t[None]).abs().sum(2)
    e = torch.exp(-0.1 * d)
    e = e / e.sum(1, keepdim=True)
    return dense(p, e)


FORWARD = {'mlp': mlp, 'lenet_tanh': lenet_tanh, 'conv_variants': conv_variants, 'tiles': tiles, 'resnet20': resnet20, 'formula': formula}

OPTIMIZERS = {
    'sgd': lambda p, lr: torch.optim.SGD(p, lr=lr),
    'momentum': lambda p, lr: torch.optim.SGD(p, lr=lr, momentum=0.9),
    'nesterov': lambda p, lr: torch.optim.SGD(p, lr=lr, momentum=0.9, nesterov=True),
    'adagrad': lambda p, lr: torch.optim.Adagrad(p, lr=lr),
    'rmsprop': lambda p, lr: torch.optim.RMSprop(p, lr=lr, alpha=0.9),
    'adam': lambda p, lr: torch.optim.Adam(p, lr=lr),
}


def load(weights):
    return {name: torch.tensor(list(data), dtype=torch.float32).reshape(shape)
            for name, (shape, data) in common.read_safetensors(weights).items()}


def loss_of(name, named, image, label):
    x = image.permute(0, 3, 1, 2) if image.dim() == 4 else image
    score = FORWARD[name](Parameters(named), x)
    return score, F.cross_entropy(score, label)


def gradients(name, weights, image, label):
    """PyTorch's tensors under dlc's names."""
    named = load(weights)
    leaves = {n: t.requires_grad_() for n, t in named.items() if n.rsplit('.', 1)[-1] not in ('mean', 'var')}
    score, loss = loss_of(name, named, image, label)
    loss.backward()
    out = {'value.' + name: score.detach(), 'value.loss': loss.detach().reshape(())}
    out.update({'grad.' + n: t.grad for n, t in leaves.items()})
    return out


def losses(name, weights, optimizer, image, label):
    named = load(weights)
    leaves = [t.requires_grad_() for n, t in named.items() if n.rsplit('.', 1)[-1] not in ('mean', 'var')]
    step, out = OPTIMIZERS[optimizer](leaves, common.rate(name, optimizer)), []
    for _ in range(common.STEPS):
        step.zero_grad()
        _, loss = loss_of(name, named, image, label)
        loss.backward()
        step.step()
        out.append(loss.item())
    return out


def worst_difference(expected, found):
    worst = (0.0, '')
    for name, tensor in expected.items():
        shape, data = found[name]
        mine = torch.tensor(list(data), dtype=torch.float32).reshape(shape)
        if mine.shape != tensor.shape:
            return float('inf'), f'{name}: {list(mine.shape)} against {list(tensor.shape)}'
        difference = ((mine - tensor).abs().max() / tensor.abs().max().clamp(min=1e-30)).item()
        worst = max(worst, (difference, name))
    return worst


def compare(name, write):
    shape, _ = common.NETWORKS[name]
    with tempfile.TemporaryDirectory() as folder:
        flat, label = common.make_inputs(name, folder)
        image, label = torch.tensor(flat, dtype=torch.float32).reshape(shape), torch.tensor(label)
        weights = common.dlc_init(name, folder)
        expected = gradients(name, weights, image, label)
        worst, where = worst_difference(expected, common.dlc_grad(name, folder, weights))
        print(f'{name}: {len(expected)} tensors, gradients within {worst:.2e} ({where})')
        bad, kept = worst > 1e-4, {}
        for optimizer in OPTIMIZERS:
            kept[optimizer] = losses(name, weights, optimizer, image, label)
            mine = common.dlc_losses(name, folder, weights, optimizer)
            off = max(abs(a - b) / max(abs(b), 0.1) for a, b in zip(mine, kept[optimizer]))
            print(f'  {optimizer}: {common.STEPS} losses within {off:.2e}, the last {mine[-1]:.6f}')
            bad |= off > 1e-3 or len(mine) != common.STEPS
    if write:
        tensors = {n: common.summary(list(t.shape), t.flatten().tolist()) for n, t in expected.items()}
        with open(os.path.join(common.HERE, 'golden', name + '.json'), 'w') as f:
            json.dump({'torch': torch.__version__.split('+')[0], 'tensors': tensors, 'losses': kept}, f, indent=1)
            f.write('\n')
    return bad


if __name__ == '__main__':
    names = [a for a in sys.argv[1:] if a != '--write'] or list(common.NETWORKS)
    results = [compare(name, '--write' in sys.argv) for name in names]
    print('all within tolerance' if not any(results) else 'some differ')
    sys.exit(any(results))
