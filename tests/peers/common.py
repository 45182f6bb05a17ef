"""What both comparisons share: the networks, their inputs, .npy and .safetensors files, runs of dlc. Plain Python."""
import json
import os
import struct
import subprocess
from array import array

HERE = os.path.dirname(os.path.abspath(__file__))
DLC = os.environ.get('DLC', os.path.join(HERE, '..', '..', 'build', 'dlc'))
STEPS = 10

# name: (shape of the images, number of classes). ResNet-20 takes a hundredth of the learning rates: at the full ones its ten
# steps on 8 images are chaotic (PyTorch in double and in single precision part by more than the tolerance as well).
NETWORKS = {
    'mlp': ((17, 19), 5),
    'lenet_tanh': ((9, 28, 28, 1), 10),
    'conv_variants': ((6, 15, 15, 4), 7),
    'tiles': ((6, 13, 13, 16), 6),
    'resnet20': ((8, 32, 32, 3), 10),
    'formula': ((7, 9, 9, 3), 4),
}

# Options for one of them. Among ResNet-20's 1.5 million rectified values one or two lie so near 0 that their sign follows the
# last bits, and one sign moves gradients by a thousandth; by direct sums hardly any does. Sums in transformed tiles are
# compared on the network `tiles`, whose activations are smooth.
OPTIONS = {'resnet20': ['--conv', 'direct']}

# name: (dlc's, with {lr} to fill in; the learning rate)
OPTIMIZERS = {
    'sgd': ('sgd(lr = {lr})', 0.05),
    'momentum': ('momentum(lr = {lr}, mu = 0.9)', 0.02),
    'nesterov': ('momentum(lr = {lr}, mu = 0.9, nesterov = true)', 0.02),
    'adagrad': ('adagrad(lr = {lr})', 0.01),
    'rmsprop': ('rmsprop(lr = {lr})', 0.001),
    'adam': ('adam(lr = {lr})', 0.001),
}


def rate(network, optimizer):
    return OPTIMIZERS[optimizer][1] * (0.01 if network == 'resnet20' else 1)


def numbers(seed, count):
    """count floats in -1..1 with 20 bits each, so that they are exact in single precision (a 64-bit LCG, Knuth's)."""
    state, out = seed * 2 + 1, []
    for _ in range(count):
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        out.append((state >> 44) / 2**19 - 1)
    return out


def count_of(shape):
    n = 1
    for d in shape:
        n *= d
    return n


def write_npy(path, kind, shape, values):
    """kind '<f4' or '<i4'."""
    header = str({'descr': kind, 'fortran_order': False, 'shape': tuple(shape)}).encode()
    header += b' ' * (-(len(header) + 11) % 64) + b'\n'
    data = array('f' if kind == '<f4' else 'i', values)
    with open(path, 'wb') as f:
        f.write(b'\x93NUMPY\x01\x00' + struct.pack('<H', len(header)) + header + data.tobytes())


def read_safetensors(path):
    """{name: (shape, array of floats)} in file order."""
    with open(path, 'rb') as f:
        raw = f.read()
    length = struct.unpack('<Q', raw[:8])[0]
    header = json.loads(raw[8:8 + length])
    out = {}
    for name, info in sorted(((k, v) for k, v in header.items() if k != '__metadata__'),
                             key=lambda item: item[1]['data_offsets'][0]):
        begin, end = info['data_offsets']
        data = array('f' if info['dtype'] == 'F32' else 'i')
        data.frombytes(raw[8 + length + begin:8 + length + end])
        out[name] = (info['shape'], data)
    return out


def make_inputs(name, folder):
    """Writes image.npy and label.npy; gives both as flat lists."""
    shape, classes = NETWORKS[name]
    image = numbers(1, count_of(shape))
    label = [int((v + 1) / 2 * classes) for v in numbers(2, shape[0])]
    write_npy(os.path.join(folder, 'image.npy'), '<f4', shape, image)
    write_npy(os.path.join(folder, 'label.npy'), '<i4', shape[:1], label)
    return image, label


def run_dlc(*arguments):
    done = subprocess.run([DLC, *arguments], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f'dlc {" ".join(arguments)} failed with {done.returncode}:\n{done.stderr}')
    return done.stdout


def program(name):
    return os.path.join(HERE, name + '.dl')


def dlc_init(name, folder):
    path = os.path.join(folder, 'weights.safetensors')
    run_dlc('init', program(name), '--seed', '1', '-o', path)
    return path


def dlc_grad(name, folder, weights, *options):
    path = os.path.join(folder, 'gradients.safetensors')
    image, label = os.path.join(folder, 'image.npy'), os.path.join(folder, 'label.npy')
    run_dlc('grad', program(name), '--weights', weights, '--input', f'image={image},label={label}', '-o', path,
            *OPTIONS.get(name, []), *options)
    return read_safetensors(path)


def dlc_losses(name, folder, weights, optimizer, steps=STEPS):
    """The loss of each of the first steps, whole data set as one batch."""
    out = os.path.join(folder, 'run-' + optimizer)
    run_dlc('train', program(name), '--weights', weights, '--data', folder, '--out', out, '--epochs', str(steps),
            '--quiet', '--set', 'optimizer=' + OPTIMIZERS[optimizer][0].format(lr=rate(name, optimizer)), '--batch', str(NETWORKS[name][0][0]),
            *OPTIONS.get(name, []))
    with open(os.path.join(out, 'log.jsonl')) as f:
        lines = [json.loads(line) for line in f]
    return [line['train.loss'] for line in lines if 'train.loss' in line][:steps]


def summary(shape, data):
    """What is kept of a tensor: enough to notice any wrong element, small enough to keep."""
    weights = numbers(3, len(data))
    return {'shape': list(shape), 'largest': max((abs(v) for v in data), default=0),
            'norm': sum(v * v for v in data) ** 0.5, 'dot': sum(v * w for v, w in zip(data, weights)),
            'head': list(data[:6]), 'tail': list(data[-6:])}
