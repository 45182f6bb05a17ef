#!/usr/bin/env python3
"""The standard library against PyTorch (knn: scikit-learn): every element of every value and gradient. Needs both; skips
without.

  compare_std.py [--write]      --write keeps PyTorch's numbers in golden/std.json, for check_std.py
"""
import json
import os
import sys
import tempfile

try:
    import torch
    import torch.nn.functional as F
    from sklearn.neighbors import KNeighborsClassifier
except ImportError:
    print('skipped: PyTorch or scikit-learn is missing')
    sys.exit(77)

import check_std
import common
import std_cases

NCHW, NHWC = (0, 3, 1, 2), (0, 2, 3, 1)


def images(f):
    """Channels-last in and out around f."""
    return lambda x, *rest: f(x.permute(NCHW), *rest).permute(NHWC)


def conv(x, w, b, **options):
    return F.conv2d(x.permute(NCHW), w.permute(3, 2, 0, 1), b, **options).permute(NHWC)


def transposed(x, w, b, **options):
    return F.conv_transpose2d(x.permute(NCHW), w.permute(2, 3, 0, 1), b, **options).permute(NHWC)


def padded(x, top, bottom, left, right):
    return F.pad(x.permute(NCHW), (left, right, top, bottom)).permute(NHWC)


def same(x, w, b):  # 7x8, k 4, stride 3: 3x3 places; 10 - 7 = 3 rows, 10 - 8 = 2 columns
    return conv(padded(x, 1, 2, 1, 1), w, b, stride=3)


def hinge(x, i):
    rows = torch.arange(len(i))
    margins = torch.clamp(x - x[rows, i][:, None] + 1, min=0)
    margins[rows, i] = 0
    return margins.sum(1).mean()


def local_response(x):
    near = F.avg_pool1d((x * x).reshape(-1, 1, 7), 3, 1, 1) * 3
    return x / (1.5 + 0.5 * near.reshape(x.shape)) ** 0.75


def depth_to_space(x):
    n, h, w, c = x.shape
    return x.reshape(n, h, w, 2, 2, c // 4).permute(0, 1, 3, 2, 4, 5).reshape(n, 2 * h, 2 * w, c // 4)


def neighbours(metric, k):
    def f(q, s, t):
        return torch.tensor(KNeighborsClassifier(k, p=metric, algorithm='brute').fit(s.numpy(), t.numpy()).predict(q.numpy()))
    return f


def vote(i):
    return torch.stack([torch.bincount(row, minlength=5).argmax() for row in i])


def where(x):
    return torch.where(x > 0.1, x * 3, x * x)


FUNCTIONS = {
    'abs': torch.abs, 'exp': lambda x: torch.exp(x * 3), 'log': lambda x: torch.log(x * x + 0.5),
    'sqrt': lambda x: torch.sqrt(x * x + 0.5), 'rsqrt': lambda x: torch.rsqrt(x * x + 0.5), 'square': torch.square,
    'sign': lambda x: torch.sign(x) * x, 'floor': lambda x: torch.floor(x * 4) * x, 'erf': lambda x: torch.erf(x * 2),
    'clip': lambda x: torch.clamp(x, -0.5, 0.25), 'where': where, 'power': lambda x: (x * x + 0.5) ** 1.7,
    'remainder': lambda x: torch.remainder(x, 0.3), 'identity': lambda x: x, 'relu': F.relu,
    'leaky_relu': lambda x: F.leaky_relu(x, 0.2), 'elu': lambda x: F.elu(x * 3, 0.7), 'selu': lambda x: F.selu(x * 3),
    'gelu': lambda x: F.gelu(x * 3), 'silu': lambda x: F.silu(x * 3), 'softplus': lambda x: F.softplus(x * 30),
    'sigmoid': lambda x: torch.sigmoid(x * 4), 'tanh': lambda x: torch.tanh(x * 2),
    'softmax': lambda x: F.softmax(x * 5, -1), 'softmax_axis': lambda x: F.softmax(x * 5, 1),
    'log_softmax': lambda x: F.log_softmax(x * 20, -1), 'max_of_two': torch.maximum, 'min_of_two': torch.minimum,
    'divide': lambda x, y: x / (y * y + 1),
    'sum': lambda x: x.sum(1), 'sum_all': torch.sum, 'mean': lambda x: x.mean((1, 2)),
    'mean_keep': lambda x: x.mean(-1, keepdim=True), 'max': lambda x: x.max(1).values, 'min': lambda x: x.min(-1).values,
    'var': lambda x: x.var(2, unbiased=False), 'var_all': lambda x: x.var(unbiased=False), 'prod': lambda x: x.prod(2),
    'norm': lambda x: x.norm(dim=2), 'sort': lambda x: x.sort().values,
    'sort_axis': lambda x: x.sort(1, descending=True).values, 'top_k': lambda x: x.topk(3).values,
    'top_k_axis': lambda x: x.topk(2, 1).values,
    'flatten': lambda x: x.flatten(1), 'reshape': lambda x: x.reshape(-1, 10, 2), 'transpose': lambda x: x.permute(0, 3, 1, 2),
    'concat': lambda x, y: torch.cat([x, y], 1), 'split': lambda x: x[:, 3:], 'pad': lambda x: padded(x, 1, 2, 0, 3),
    'upsample_nearest': images(lambda x: F.interpolate(x, scale_factor=(2, 3))),
    'upsample_bilinear': images(lambda x: F.interpolate(x, scale_factor=2, mode='bilinear')),
    'upsample_bilinear_3': images(lambda x: F.interpolate(x, scale_factor=(3, 4), mode='bilinear')),
    'depth_to_space': depth_to_space, 'gather': lambda t, i: t[i], 'one_hot': lambda i, x: F.one_hot(i, 6) * x,
    'matmul': torch.matmul,
    'dense': lambda x, w, b: x @ w + b, 'dense_rank_3': lambda x, w: x @ w,
    'conv2d': lambda x, w, b: conv(x, w, b, padding=1),
    'conv2d_strided': lambda x, w, b: conv(padded(x, 1, 1, 0, 1), w, b, stride=2, dilation=(1, 2)),
    'conv2d_groups': lambda x, w, b: conv(x, w, b, groups=2), 'conv2d_same': same,
    'depthwise_conv2d': lambda x, w, b: conv(x, w[:, :, None], b, stride=2, padding=1, groups=3),
    'conv1d': lambda x, w, b: F.conv1d(x.permute(0, 2, 1), w.permute(2, 1, 0), b, 2, 1, 2).permute(0, 2, 1),
    'conv3d': lambda x, w, b: F.conv3d(x.permute(0, 4, 1, 2, 3), w.permute(4, 3, 0, 1, 2), b, (1, 2, 1), (1, 1, 0),
                                       (2, 1, 1)).permute(0, 2, 3, 4, 1),
    'conv2d_transpose': lambda x, w, b: transposed(x, w, b, stride=2, padding=1),
    'conv2d_transpose_odd': lambda x, w, b: transposed(x, w, b, stride=(3, 1)),
    'max_pool': images(lambda x: F.max_pool2d(x, 3, 2, 1)),
    'max_pool_ceil': images(lambda x: F.max_pool2d(x, 3, 2, ceil_mode=True)),
    'avg_pool': images(lambda x: F.avg_pool2d(x, 3, 2, 1)), 'global_avg_pool': lambda x: x.mean((1, 2)),
    'global_max_pool': lambda x: x.amax((1, 2)),
    'batch_norm': images(lambda x, g, b: F.batch_norm(x, None, None, g, b, True)),
    'batch_norm_rank_2': lambda x, g, b: F.batch_norm(x, None, None, g, b, True, eps=0.01),
    'layer_norm': lambda x, g, b: F.layer_norm(x, (6,), g, b), 'local_response_norm': local_response,
    'embedding': lambda i, w: w[i],
    'cross_entropy': lambda x, i: F.cross_entropy(x * 5, i),
    'cross_entropy_pixels': lambda x, i: F.cross_entropy((x * 5).permute(NCHW), i),
    'nll': lambda x, i: F.nll_loss(F.log_softmax(x, 1), i), 'hinge': lambda x, i: hinge(x * 3, i),
    'binary_cross_entropy': lambda x, y: F.binary_cross_entropy_with_logits(x * 9, torch.sigmoid(y)),
    'mse': F.mse_loss, 'mae': F.l1_loss, 'huber': lambda x, y: F.huber_loss(x * 3, y, delta=0.7),
    'smooth_l1': lambda x, y: F.smooth_l1_loss(x * 3, y, beta=0.4),
    'argmax': lambda x: x.argmax(-1), 'argmax_axis': lambda x: x.argmax(1), 'argmin': lambda x: x.argmin(1, keepdim=True),
    'argsort': lambda x: x.argsort(1), 'argsort_down': lambda x: x.argsort(-1, descending=True),
    'top_places': lambda x: x.topk(3, 1).indices, 'vote': vote, 'knn_l2': neighbours(2, 5), 'knn_l1': neighbours(1, 4),
}


def torch_group(group, weights):
    """{name: tensor} as dlc grad names them, computed in double; and the shapes of the results."""
    given = check_std.tensors(group)
    inputs = {n: torch.tensor(v, dtype=torch.int64 if c else torch.float64).reshape(s) for n, (s, c, v) in given.items()}
    params = {n: torch.tensor(list(v), dtype=torch.float64).reshape(s) for n, (s, v) in weights.items()}
    leaves = {n: t.requires_grad_(group != 'choices') for n, t in {**inputs, **params}.items() if t.is_floating_point()}
    out, shapes, total = {}, {}, 0
    for name, _, specs in std_cases.GROUPS[group]:
        own = [t for n, t in params.items() if f'.at_{name}.' in n and n.rsplit('.', 1)[1] not in ('mean', 'var')]
        y = FUNCTIONS[name](*[inputs[f'{name}_{item}'] for item in specs], *own)
        out['value.of_' + name], shapes[name] = y, list(y.shape)
        if group != 'choices':
            total = total + (y * torch.tensor(check_std.cotangent(name, y.numel()), dtype=torch.float64).reshape(y.shape)).sum()
    if group != 'choices':
        total.backward()
        out.update({'grad.' + n: t.grad for n, t in leaves.items() if t.grad is not None})
    return {n: t.detach().double() for n, t in out.items()}, shapes


def compare(group, folder, kept):
    path = os.path.join(folder, 'std.dl')
    weights = {}
    if group != 'choices':
        with open(path, 'w') as f:
            f.write(std_cases.program())
        common.run_dlc('init', path, '--model', group, '--seed', '1', '-o', os.path.join(folder, 'w'))
        weights = common.read_safetensors(os.path.join(folder, 'w'))
    expected, shapes = torch_group(group, weights)
    kept['shapes'].update(shapes)
    found = check_std.run_group(group, kept['shapes'], folder)
    wrong = 0
    for name, want in expected.items():
        got = torch.tensor(list(found[name][1]), dtype=torch.float64).reshape(found[name][0])
        error = (got - want).abs().max().item() / max(want.abs().max().item(), 1e-30) if got.shape == want.shape else 1e9
        if not error < 1e-5:
            print(f'  {group} {name}: {error:.2g}, shapes {list(got.shape)} {list(want.shape)}')
            wrong += 1
    kept[group] = {n: common.summary(list(t.shape), t.flatten().tolist()) for n, t in expected.items()}
    print(f'{group}: {len(expected)} tensors, {wrong} wrong')
    return wrong


def main():
    kept, wrong = {'shapes': {}}, 0
    with tempfile.TemporaryDirectory() as folder:
        for group in std_cases.GROUPS:
            wrong += compare(group, folder, kept)
    if '--write' in sys.argv and not wrong:
        with open(check_std.KEPT, 'w') as f:
            json.dump(kept, f)
            f.write('\n')
    return wrong


if __name__ == '__main__':
    sys.exit(bool(main()))
