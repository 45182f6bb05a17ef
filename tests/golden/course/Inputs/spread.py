"""spread.py RUN...: how widely the ten hidden layers' activations and gradients are spread before the first step."""
import json
import os
import sys

for run in sys.argv[1:]:
    with open(os.path.join(run, 'curves.jsonl')) as f:
        first = next(line for line in map(json.loads, f) if 'histograms' in line)
    assert first['step'] == 0, run
    std = {(h['what'], h['name']): h['std'] for h in first['histograms']}
    words = [f'{what} ' + ' '.join(f'{std[what, f"hidden_{k}"]:.2g}' for k in (1, 5, 10)) for what in ('activation', 'gradient')]
    print(os.path.basename(run), *words)
