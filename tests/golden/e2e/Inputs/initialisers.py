"""initialisers.py FILE: mean, spread and range of each weight of initialisers.dl are those that its name says."""
import math
import sys

from tensors import read

WEIGHTS = {name: numbers for name, _, numbers in read(sys.argv[1])}


def check(name, fan_in, fan_out):
    values, kind = WEIGHTS[f'net.{name}.w'], name.split('_', 1)[1]
    mean = sum(values) / len(values)
    std = math.sqrt(sum((v - mean) ** 2 for v in values) / len(values))
    least, greatest = min(values), max(values)
    want = {'zeros': (0, 0), 'ones': (1, 0), 'constant': (0.5, 0), 'normal': (0, 0.2), 'usual': (0, 0.01),
            'uniform': (1, 4 / math.sqrt(12)), 'xavier_uniform': (0, math.sqrt(2 / (fan_in + fan_out))),
            'xavier_normal': (0, math.sqrt(2 / (fan_in + fan_out))), 'kaiming_uniform': (0, math.sqrt(2 / fan_in)),
            'kaiming_normal': (0, math.sqrt(2 / fan_in)), 'orthogonal': (0, 1 / math.sqrt(max(fan_in, fan_out)))}[kind]
    # Both estimates are within six of their standard errors.
    error = 6 * max(std, 1e-12) / math.sqrt(len(values))
    assert abs(mean - want[0]) <= error and abs(std - want[1]) <= error, (name, mean, std, want)
    if 'uniform' in kind:
        half = math.sqrt(3) * want[1]
        assert 0.98 * half < want[0] - least <= half * 1.00001 and 0.98 * half < greatest - want[0] <= half * 1.00001
    if 'normal' in kind or kind == 'usual':
        beyond = sum(abs(v) > 2 * want[1] for v in values) / len(values)  # 4.55 % of a normal distribution
        assert abs(beyond - 0.0455) < 6 * math.sqrt(0.0455 / len(values)), (name, beyond)
    if kind == 'orthogonal':
        rows = [values[k * fan_out:(k + 1) * fan_out] for k in range(0, fan_in, 20)]
        for i, a in enumerate(rows):
            for k, b in enumerate(rows):
                assert abs(sum(x * y for x, y in zip(a, b, strict=True)) - (i == k)) < 1e-5, (i, k)
    print(name)


for letter in ('a_zeros b_ones c_constant d_normal e_usual f_uniform g_xavier_uniform h_xavier_normal i_kaiming_uniform '
               'j_kaiming_normal k_orthogonal').split():
    check(letter, 200, 300)
check('l_kaiming_normal', 5 * 5 * 4, 5 * 5 * 32)
check('m_kaiming_normal', 16 * 16 * 64, 1)
