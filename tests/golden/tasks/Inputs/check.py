"""check.py FILE CONDITION: does it hold for the numbers that `dlc train` or `dlc eval` printed there (test.loss as test_loss)?"""
import sys

with open(sys.argv[1], encoding='utf-8') as f:
    words = f.read().split()
numbers = {name.replace('.', '_'): float(value) for name, value in zip(words[::2], words[1::2])}
print('holds' if eval(sys.argv[2], {}, numbers) else f'does not hold: {sys.argv[2]} with {numbers}')
