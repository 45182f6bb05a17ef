"""The run's rates follow its schedule: warm up over 3 steps, then halve after each epoch without improvement; the weights
obey the max-norm."""
import array
import json
import os
import struct
import sys

folder = sys.argv[1]
lines = [json.loads(line) for line in open(os.path.join(folder, 'log.jsonl'))]
assert abs(lines[0]['lr'] - 0.3 * 2 / 3) < 1e-9, lines[0]['lr']
level, best, halved = 1, lines[0]['valid.loss'], 0
for k in range(1, len(lines)):
    assert abs(lines[k]['lr'] - 0.3 * level) < 1e-9, (k, lines[k]['lr'], level)
    if lines[k]['valid.loss'] < best:
        best = lines[k]['valid.loss']
    else:
        level /= 2
        halved += 1
assert halved >= 3, halved
last = sorted(name for name in os.listdir(folder) if name.endswith('safetensors'))[-1]
raw = open(os.path.join(folder, last), 'rb').read()
size = struct.unpack('<Q', raw[:8])[0]
longest = 0
for name, info in json.loads(raw[8:8 + size]).items():
    if not name.endswith('.w'):
        continue
    begin, end = info['data_offsets']
    w = array.array('f', raw[8 + size + begin:8 + size + end])
    units = info['shape'][-1]
    longest = max([longest] + [sum(v * v for v in w[u::units]) ** 0.5 for u in range(units)])
assert 1.49 < longest < 1.500001, longest
