#!/usr/bin/env python3
"""No register tile spills: in the assembly of the benchmark networks, no loop that only loads and multiplies and adds
keeps a vector on the stack.

  check_spills.py DLC FILE.dl..
"""
import re
import subprocess
import sys

LEVELS = ['x86-64-v3', 'x86-64-v4']
# What a tile's reduction is made of, besides scalar arithmetic.
TILE = re.compile(r'vfn?madd\w*|vmov\w*|vbroadcast\w*|vmaskmov\w*|kmov\w*|prefetch\w*')
LABEL = re.compile(r'^(\.?\w+):')
STACK = re.compile(r'\((%rsp|%rbp)')
VECTOR = re.compile(r'%[xyz]mm')


def loops(assembly):
    """(function, instructions) of each block that jumps to its own beginning."""
    function, label, block = '', '', []
    for line in assembly.splitlines():
        found = LABEL.match(line)
        if found:
            label, block = found.group(1), []
            if not label.startswith('.'):
                function = label
            continue
        text = line.split('#')[0].strip()
        if not text or text.startswith('.'):
            continue
        block.append(text)
        if re.fullmatch(rf'j\w+\s+{re.escape(label)}', text):
            yield function, block


def is_tile(block):
    vectors = [text.split()[0] for text in block if VECTOR.search(text)]
    return any(op.startswith('vfmadd') for op in vectors) and all(TILE.fullmatch(op) for op in vectors)


def main():
    dlc, files = sys.argv[1], sys.argv[2:]
    tiles = wrong = 0
    for file in files:
        for level in LEVELS:
            for mode in ['train', 'infer']:
                command = [dlc, 'dump', '--stage', 'asm', '--mode', mode, '--cpu', level, file]
                done = subprocess.run(command, capture_output=True, text=True, check=True)
                for function, block in loops(done.stdout):
                    if not is_tile(block):
                        continue
                    tiles += 1
                    spilled = [text for text in block if VECTOR.search(text) and STACK.search(text)]
                    if spilled:
                        wrong += 1
                        print(f'{file}, {mode}, {level}: {function} spills in its loop: {spilled[0]}')
    print(f'{tiles} loops of register tiles, {wrong} with spills')
    sys.exit(wrong > 0 or tiles < 10 * len(files))


if __name__ == '__main__':
    main()
