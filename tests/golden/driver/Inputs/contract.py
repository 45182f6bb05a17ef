"""contract.py TESTS: every row of contract.md names tests, and each of these files is there. Prints how many rows there are."""
import os
import re
import sys

tests = sys.argv[1]
rows = 0
with open(os.path.join(tests, 'contract.md'), encoding='utf-8') as table:
    for line in table:
        if not line.startswith('| ') or line.startswith(('| promise', '| ---')):
            continue
        cells = [cell.strip() for cell in re.split(r'(?<!\\)\|', line)[1:-1]]
        assert len(cells) == 2 and cells[0], line
        named = re.findall(r'`([^`]+)`', cells[1])
        assert named, f'no test: {cells[0]}'
        for name in named:
            places = (os.path.join(tests, folder, name) for folder in ('', 'golden'))
            assert any(map(os.path.isfile, places)), f'{name} is not there: {cells[0]}'
        rows += 1
print(rows, 'promises')
