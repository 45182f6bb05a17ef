"""regularisation.py RUNS README.md: each run of examples/losses/regularisation.dl differs from the one without regularisation as
it should, and README.md's table has its numbers."""
import json
import os
import sys

NAMES = ['none', 'l2', 'l1', 'elastic', 'max_norm', 'dropout', 'batch_norm', 'depth']
KEYS = ['train.accuracy', 'test.accuracy', 'train.error', 'test.error', 'test.length', 'test.small', 'test.longest']


def lines_of(name):
    with open(os.path.join(sys.argv[1], name, 'log.jsonl'), encoding='utf-8') as f:
        return [json.loads(line) for line in f]


def row_of(numbers):
    shown = [f'{100 * numbers[key]:.1f} %' for key in KEYS[:2]] + [f'{numbers[key]:.2f}' for key in KEYS[2:5]]
    return ' | '.join(shown + [f'{100 * numbers[KEYS[5]]:.0f} %', f'{numbers[KEYS[6]]:.2f}'])


log = {name: lines_of(name) for name in NAMES}
end = {name: lines[-1] for name, lines in log.items()}
none = end['none']
gap = {name: e['test.error'] - e['train.error'] for name, e in end.items()}

assert none['train.accuracy'] == 1 and none['test.accuracy'] < 0.81, 'it learns by heart'
for name in NAMES[1:]:
    assert gap[name] < gap['none'], name
    assert end[name]['train.error'] > none['train.error'], name
for name in ('l2', 'l1', 'elastic', 'max_norm', 'dropout', 'depth'):
    assert end[name]['test.accuracy'] > none['test.accuracy'], name
for name in ('l2', 'elastic', 'max_norm'):
    assert end[name]['test.length'] < 0.4 * none['test.length'], name
for name in ('l2', 'l1', 'elastic', 'max_norm', 'dropout'):
    assert end[name]['test.error'] < 0.7 * none['test.error'], name
assert end['l1']['test.small'] > 3 * end['l2']['test.small'] > 10 * none['test.small'], 'sparse'
assert end['l2']['test.small'] < end['elastic']['test.small'] < end['l1']['test.small']
assert end['max_norm']['test.longest'] < 0.3001 < none['test.longest']
assert end['dropout']['train.accuracy'] < 0.8, 'the training version is never whole'
for epoch in range(5):  # batch norm trains faster
    assert log['batch_norm'][epoch]['train.error'] < log['none'][epoch]['train.error'], epoch

with open(sys.argv[2], encoding='utf-8') as f:
    readme = f.read()
for name in NAMES:
    assert row_of(end[name]) in readme, f'README.md: {name} has {row_of(end[name])}'
print('as they should')
