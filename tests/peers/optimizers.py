"""What the comparison of optimizers over 50 steps shares: examples/optimizers/optimizers.dl under each of them."""
import json
import os
import tempfile

import common

STEPS, ROWS, BATCH = 50, 3200, 64
PROGRAM = os.path.join(common.HERE, '..', '..', 'examples', 'optimizers', 'optimizers.dl')
GOLDEN = os.path.join(common.HERE, 'golden', 'optimizers.json')

# name: dlc's. The rates of the example's README; the last two have an eps that matters, at its two places.
OPTIMIZERS = {
    'sgd': 'sgd(lr = 0.1)',
    'momentum-90': 'momentum(lr = 0.1, mu = 0.9)',
    'momentum-99': 'momentum(lr = 0.1, mu = 0.99)',
    'nesterov': 'momentum(lr = 0.1, mu = 0.9, nesterov = true)',
    'adagrad': 'adagrad(lr = 0.02)',
    'rmsprop': 'rmsprop(lr = 0.005)',
    'adam': 'adam(lr = 0.005)',
    'adamw': 'adamw(lr = 0.005, decay = 0.5)',
    'adagrad-outside': 'adagrad(lr = 0.02, eps = 0.01)',
    'adagrad-inside': 'adagrad(lr = 0.02, eps = 0.01, eps_inside = true)',
    'rmsprop-outside': 'rmsprop(lr = 0.005, eps = 0.01)',
    'rmsprop-inside': 'rmsprop(lr = 0.005, eps = 0.01, eps_inside = true)',
    'adam-outside': 'adam(lr = 0.005, eps = 0.01)',
    'adam-inside': 'adam(lr = 0.005, eps = 0.01, eps_inside = true)',
}


def first_weights(folder):
    path = os.path.join(folder, 'first.safetensors')
    common.run_dlc('init', PROGRAM, '-o', path)
    return common.read_safetensors(path)


def train(name, folder):
    """dlc's loss of each of the 50 steps, and its weights after them."""
    out = os.path.join(folder, name)
    common.run_dlc('train', PROGRAM, '--steps', str(STEPS), '--out', out, '--quiet', '--set', 'optimizer=' + OPTIMIZERS[name])
    with open(os.path.join(out, 'curves.jsonl')) as f:
        losses = [line['loss'] for line in map(json.loads, f) if 'loss' in line]
    return losses, common.read_safetensors(os.path.join(out, f'step-{STEPS:08d}.safetensors'))
