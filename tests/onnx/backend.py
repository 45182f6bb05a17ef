#!/usr/bin/env python3
"""ONNX's own backend tests through dlc: each model is imported and run on the suite's inputs, and its outputs compared
with the suite's (rtol 1e-3, atol 1e-7).

  backend.py DLC [--data FOLDER] [--only TEXT] [--write FILE.md | --check FILE.md] [-v]

A case passes, or is refused: exit status 3, a message, and nothing written. Anything else is a failure, and exit status 1.
Inputs that decide a shape are held fixed where dlc asks for it (--input); the table says how often. Debian:
libonnx-testdata. Exit 77 (skipped) where it is missing.
"""
import argparse
import collections
import concurrent.futures
import glob
import json
import math
import os
import re
import subprocess
import sys
import tempfile

from proto import FLOATS, Model, Tensor, permuted, read_npy, write_npy

DATA = '/usr/share/libonnx-testdata/data'
RTOL, ATOL = 1e-3, 1e-7
FEWEST = 300
BEGIN, END = '<!-- made by tests/onnx/backend.py --write -->', '<!-- end of what backend.py made -->'
ASKED = re.compile(r"'([^']*)' \([^)]*\) must be known")


class Failure(Exception):
    pass


class Refused(Exception):
    pass


def run(command):
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    if done.returncode < 0 or done.returncode >= 70 or 'Sanitizer' in done.stderr:
        raise Failure(f'crashed ({done.returncode}): {done.stderr.strip()[-300:]}')
    return done


def tensors(folder, kind, count):
    """The tensors of a data set's files, None for what is no tensor or of a type that Python's struct has not."""
    found = []
    for k in range(count):
        path = os.path.join(folder, f'{kind}_{k}.pb')
        if not os.path.exists(path):
            found.append(None)
            continue
        with open(path, 'rb') as f:
            try:
                tensor = Tensor(f.read())
            except Exception:  # a sequence, an optional value
                tensor = None
        found.append(tensor if tensor and tensor.values is not None else None)
    return found


def save(path, tensor, axes):
    if len(axes) != len(tensor.dims):
        raise Failure(f'the program has {len(axes)} dimensions where the data has {tensor.dims}')
    dims, values = permuted(tensor.dims, tensor.values, axes)
    write_npy(path, 'f4' if tensor.type in FLOATS else 'b1' if tensor.type == 9 else 'i8', dims, values)


def imported(dlc, model, base, names, given):
    """(what dlc import tells, the inputs that it asked to hold fixed)"""
    fixed = []
    while True:
        options = ['--input', ','.join(f'{name}={base}.fixed{k}.npy' for k, name in enumerate(fixed))] if fixed else []
        done = run([dlc, 'import', model, '-o', base, '--json', '--quiet'] + options)
        if done.returncode == 0:
            return json.loads(done.stdout), fixed
        if done.returncode != 3 or 'error[E042' not in done.stderr:
            raise Failure(f'status {done.returncode}: {done.stderr.strip()[:300]}')
        if os.path.exists(base + '.dl') or os.path.exists(base + '.safetensors'):
            raise Failure('refused, but something was written')
        asked = [n for n in dict.fromkeys(ASKED.findall(done.stderr)) if n in names and n not in fixed]
        asked = [n for n in asked if given[names.index(n)] is not None]
        if not asked:
            raise Refused(done.stderr.strip())
        for name in asked:
            tensor = given[names.index(name)]
            save(f'{base}.fixed{len(fixed)}.npy', tensor, range(len(tensor.dims)))
            fixed.append(name)


def same(expected, kind, values):
    if (expected.type in FLOATS) != (kind == 'f4'):
        return f'is {kind}'
    for k, (want, got) in enumerate(zip(expected.values, values)):
        if isinstance(want, float) and (math.isnan(want) or math.isinf(want)):
            if not (want == got or (math.isnan(want) and math.isnan(got))):
                return f'element {k} is {got}, not {want}'
        elif not abs(got - want) <= (ATOL + RTOL * abs(want) if kind == 'f4' else 0):
            return f'element {k} is {got}, not {want}'
    return None


def compare(told, base, wanted):
    for k, (port, expected) in enumerate(zip(told['outputs'], wanted)):
        if expected is None:
            raise Failure('the expected output cannot be read')
        kind, dims, values = read_npy(f'{base}.out{k}.npy')
        back = [port['axes'].index(d) for d in range(len(dims))]
        dims, values = permuted(dims, values, back)
        if dims != expected.dims:
            raise Failure(f"output '{port['source']}' is {dims}, not {expected.dims}")
        wrong = same(expected, kind, values)
        if wrong:
            raise Failure(f"output '{port['source']}': {wrong}")


def predict(dlc, told, base, given):
    """given: tensors by the model's names."""
    inputs = []
    for k, port in enumerate(told['inputs']):
        save(f'{base}.in{k}.npy', given[port['source']], port['axes'])
        inputs.append(f"{port['name']}={base}.in{k}.npy")
    outputs = [f"{port['name']}={base}.out{k}.npy" for k, port in enumerate(told['outputs'])]
    command = [dlc, 'predict', base + '.dl', '--threads', '1', '--output', ','.join(outputs)]
    command += ['--input', ','.join(inputs)] if inputs else []
    command += ['--weights', base + '.safetensors'] if told['tensors'] else []
    done = run(command)
    if done.returncode:
        raise Failure(f'predict: status {done.returncode}: {done.stderr.strip()[:300]}')


def run_case(dlc, folder, work):
    with open(os.path.join(folder, 'model.onnx'), 'rb') as f:
        model = Model(f.read())
    name = os.path.basename(folder)
    base = os.path.join(work, os.path.basename(os.path.dirname(folder)) + '_' + name)
    fixed = []
    for data in sorted(glob.glob(os.path.join(folder, 'test_data_set_*'))):
        given = tensors(data, 'input', len(model.inputs))
        told, fixed = imported(dlc, os.path.join(folder, 'model.onnx'), base, model.inputs, given)
        for port in told['inputs']:
            if given[model.inputs.index(port['source'])] is None:
                raise Failure(f"no values for input '{port['source']}'")
        predict(dlc, told, base, dict(zip(model.inputs, given)))
        compare(told, base, tensors(data, 'output', len(model.outputs)))
        for file in glob.glob(glob.escape(base) + '.*'):
            os.remove(file)
    return model, fixed


def judge(dlc, folder, work):
    """(result, operators, detail): pass, fixed (passes with inputs held fixed), refused or failed."""
    with open(os.path.join(folder, 'model.onnx'), 'rb') as f:
        operators = Model(f.read()).operators
    try:
        _, fixed = run_case(dlc, folder, work)
        return 'fixed' if fixed else 'pass', operators, ''
    except Refused as refused:
        return 'refused', operators, str(refused)
    except Failure as failure:
        return 'failed', operators, str(failure)
    except subprocess.TimeoutExpired:
        return 'failed', operators, 'took too long'


def reason(detail):
    notes = re.findall(r'note: (?:node \d+, \S+ "[^"]*": )?(.*)', detail)
    first = re.search(r'error\[E\d+\]: (.*)', detail)
    text = notes[0] if notes else first.group(1) if first else detail
    return re.sub(r"^'[^']*' cannot be imported: ", '', re.sub(r"'[^']*test_[^']*'", 'the model', text))


def table(results):
    """The markdown table: a row for each operator, or for what is made of several."""
    rows = collections.defaultdict(lambda: collections.Counter())
    reasons = collections.defaultdict(collections.Counter)
    for _, result, operators, detail in results:
        kinds = sorted(set(operators))
        key = kinds[0] if len(kinds) == 1 else 'several' if kinds else 'none'
        rows[key][result] += 1
        if result == 'refused':
            reasons[key][reason(detail)] += 1
    total = collections.Counter(result for _, result, _, _ in results)
    passed = total['pass'] + total['fixed']
    lines = [BEGIN, '', f"{len(results)} cases: {passed} pass ({total['fixed']} of them with inputs held fixed that decide a "
             f"shape), {total['refused']} are refused, {total['failed']} fail.", '',
             '| operator | cases | pass | of them with fixed inputs | refused | why |', '| --- | --- | --- | --- | --- | --- |']
    for key in sorted(rows, key=lambda k: (k == 'several', k)):
        row = rows[key]
        why = '; '.join(sorted(reasons[key])[:2]) + (' ..' if len(reasons[key]) > 2 else '')
        name = 'several operators' if key == 'several' else key
        lines.append(f"| {name} | {sum(row.values())} | {row['pass'] + row['fixed']} | {row['fixed'] or ''} | "
                     f"{row['refused'] or ''} | {why.replace('|', '/')} |")
    return '\n'.join(lines + ['', END]), passed, total


def between(text):
    start, end = text.find(BEGIN), text.find(END)
    return (start, end + len(END)) if start >= 0 and end >= 0 else None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('dlc')
    parser.add_argument('--data', default=DATA)
    parser.add_argument('--only')
    parser.add_argument('--write')
    parser.add_argument('--check')
    parser.add_argument('-v', action='store_true')
    args = parser.parse_args()
    folders = sorted(os.path.dirname(p) for kind in ('node', 'pytorch-converted', 'pytorch-operator', 'simple')
                     for p in glob.glob(os.path.join(args.data, kind, '*', 'model.onnx')))
    if not folders:
        print('skipped: libonnx-testdata is missing')
        sys.exit(77)
    if args.only:
        folders = [f for f in folders if args.only in f]
    with tempfile.TemporaryDirectory() as work, concurrent.futures.ThreadPoolExecutor(2) as pool:
        judged = list(pool.map(lambda f: judge(args.dlc, f, work), folders))
    results = [(os.path.basename(f),) + j for f, j in zip(folders, judged)]
    for name, result, _, detail in results:
        if result == 'failed' or args.v:
            print(f'{result:8} {name} {detail}')
    text, passed, total = table(results)
    print(f'{len(results)} cases: {dict(total)}')
    wrong = total['failed'] > 0 or (not args.only and passed < FEWEST)
    for path in filter(None, (args.write, args.check)):
        with open(path, encoding='utf-8') as f:
            page = f.read()
        place = between(page)
        if not place:
            sys.exit(f'{path} has no place for the table')
        new = page[:place[0]] + text + page[place[1]:]
        if path == args.check and new != page:
            print(f'{path} has another table: run this with --write {path}')
            wrong = True
        if path == args.write:
            with open(path, 'w', encoding='utf-8') as f:
                f.write(new)
    sys.exit(1 if wrong else 0)


if __name__ == '__main__':
    main()
