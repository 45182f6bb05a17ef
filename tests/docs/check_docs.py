#!/usr/bin/env python3
"""Checks that docs/ is true: every program and command in it does what it says (blocks.py), and its tables name what
the sources have. Exit 0 when nothing is wrong.

  check_docs.py DLC [FILE.md...]      DLC is the binary; without files, all of docs/
"""
import glob
import os
import re
import subprocess
import sys

import blocks

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
LANGUAGE, ERRORS = (os.path.join(ROOT, 'docs', name) for name in ('language.md', 'errors.md'))
NOT_SHOWN = {'E0631'}  # needs a process that may not run code that it wrote
HELPERS = re.compile(r'window_|order_|loss_shapes')  # of the library, for its own use


def text_of(*parts):
    with open(os.path.join(ROOT, *parts), encoding='utf-8') as f:
        return f.read()


def matches(pattern, text, what):
    """All matches; none means that the source was rewritten and this script was not."""
    found = re.findall(pattern, text, re.M | re.S)
    if not found:
        sys.exit(f'check_docs.py: no {what} found in the sources')
    return found


# ---- what the sources have ------------------------------------------------------------------------------------------

def words_of(name, *path):
    """The strings of a C array `name[] = {...}`."""
    body = matches(re.escape(name) + r'\[\] = \{(.*?)\};', text_of(*path), name)[0]
    return matches(r'"(\w+)"', body, 'words in ' + name)


def signatures(dlc):
    """name -> signature of every function of the standard library, as it is written there."""
    text = subprocess.run([dlc, 'show', 'std'], capture_output=True, text=True, check=True).stdout
    found = matches(r'^fn (\w+)(\((?:[^(){}]|\([^()]*\))*\)) *\{', text, 'functions of the library')
    return {name: ' '.join((name + parameters).split()) for name, parameters in found}


def optimizer_calls():
    """`adam(lr, beta1 = 0.9, ...)` for each row of optimizers.def."""
    rows = text_of('base', 'optimizers.def')
    for name, options in matches(r'^OPTIMIZER\((\w+), *\d+, *(.*?)\)$', rows, 'optimizers'):
        shown = []
        for option, value in re.findall(r'(?:OPTION|FLAG)\((\w+), ([\w.-]+)\)', options):
            shown.append(option if value == 'REQUIRED' else f'{option} = {value}')
        yield f'{name}({", ".join(shown)})'


def language_words():
    """(what it is, word): everything that docs/language.md must name in code style."""
    lexer, keys = text_of('frontend', 'lexer.l'), text_of('frontend', 'blocks_keys.c')
    for word in matches(r'^"(\w+)" +\{ lexer_push_name', lexer, 'words of the lexer'):
        yield 'word', word
    for key in matches(r'\{"(\w+)", (?:read_\w+|NULL)\}', keys, 'keys'):
        yield 'key', key
    for name in matches(r'\{"(\w+)", SCHEDULE_', text_of('frontend', 'blocks_schedule.c'), 'schedules'):
        yield 'schedule', name
    for what, array, source in (('word', 'option_words', 'elab_words.c'),):
        for word in words_of(array, 'frontend', source):
            yield what, word
    for source, fields in matches(r'^SOURCE\(\w+, (\w+), \w+, (.*?)\)$', text_of('base', 'sources.def'), 'sources'):
        yield 'source', source
        for field in re.findall(r'"(\w+)"', fields):
            yield f'field of {source}', field
    for step in matches(r'\{"(\w+)", AUGMENT_', text_of('frontend', 'blocks_prepare.c'), 'steps of augment'):
        yield 'step of augment', step
    for word in matches(r'\{"(\w+)", NORMALIZE_', text_of('frontend', 'blocks_prepare.c'), 'words of normalize'):
        yield 'word of normalize', word
    for name in matches(r'\{"(\w+)", INIT_', text_of('frontend', 'elab_init.c'), 'initialisers'):
        yield 'initialiser', name


def codes():
    return matches(r'^DIAG\((E\d{4}), "(.*?)"\)$', text_of('base', 'diag.def'), 'codes')


# ---- what the documents say -----------------------------------------------------------------------------------------

def code_spans(text):
    """What stands in `backquotes` outside fenced blocks."""
    return re.findall(r'`([^`\n]+)`', re.sub(r'^```.*?^```', '', text, flags=re.M | re.S))


def check_library(dlc, spans):
    for name, signature in signatures(dlc).items():
        if HELPERS.match(name):
            if name not in spans:
                yield f"{LANGUAGE}: the library's helper '{name}' is not named"
        elif signature not in spans:
            yield f"{LANGUAGE}: the library's `{signature}` is missing, or differs"


def check_language(dlc):
    spans = code_spans(text_of(LANGUAGE))
    words = {word for span in spans for word in re.findall(r'\w+', span)}
    yield from check_library(dlc, set(spans))
    for what, word in language_words():
        if word not in words:
            yield f"{LANGUAGE}: the {what} '{word}' is not named"
    for call in optimizer_calls():
        if call not in spans:
            yield f'{LANGUAGE}: the optimizer `{call}` is missing, or differs'


def check_goldens():
    """Each code is said by some golden test."""
    said = set()
    for folder, _, names in os.walk(os.path.join(ROOT, 'tests', 'golden')):
        for name in names:
            if 'Inputs' not in folder.split(os.sep) and name.endswith(('.dl', '.dlir', '.test')):
                said.update(re.findall(r'(?:error|warning)\[(E\d{4})\]', text_of(folder, name)))
    for code, title in codes():
        if code not in said:
            yield f'no golden test in tests/golden has {code}: {title}'


def check_sections(all_blocks):
    """Each code has its section, under diag.def's title, with what shows it and, for programs, a right one."""
    headings = re.findall(r'^## (E\d{4}): (.*)$', text_of(ERRORS), re.M)
    for code, title in codes():
        if (code, title) not in headings:
            yield f'{ERRORS}: no section "## {code}: {title}"'
        shown = [block for block in all_blocks if block.section.startswith(code + ':')]
        wrong = [block for block in shown if block.code == code]
        if not wrong and code not in NOT_SHOWN:
            yield f'{ERRORS}: nothing shows {code}'
        is_program = any(block.kind == 'dl' and code < 'E04' for block in wrong)
        if is_program and not any(block.kind == 'dl' and not block.code for block in shown):
            yield f'{ERRORS}: {code} has no right program'
    known = dict(codes())
    for code, _ in headings:
        if code not in known:
            yield f'{ERRORS}: {code} is no code of diag.def'


def check_kinds(found):
    """Nothing on these two pages goes untested."""
    for block in found:
        if block.kind not in blocks.KINDS:
            yield f"{block.place}: a block says what it is ({', '.join(blocks.KINDS)}), not '{block.kind}'"


def check_links(path):
    for target in re.findall(r'\]\(([^)#\s]+)[^)]*\)', text_of(path)):
        if '://' not in target and not os.path.exists(os.path.join(os.path.dirname(path), target)):
            yield f'{path}: {target} does not exist'


# ---- the way in -----------------------------------------------------------------------------------------------------

def main(dlc, paths):
    runner, wrong = blocks.Runner(os.path.abspath(dlc)), []
    for path in [os.path.abspath(path) for path in paths] or sorted(glob.glob(os.path.join(ROOT, 'docs', '*.md'))):
        found = blocks.read(path)
        runner.run(found)
        wrong += check_links(path)
        wrong += check_kinds(found) if path in (LANGUAGE, ERRORS) else []
        wrong += check_language(dlc) if path == LANGUAGE else []
        wrong += [*check_sections(found), *check_goldens()] if path == ERRORS else []
    wrong = runner.wrong + wrong
    for message in wrong:
        print(message)
    print(f'{runner.ran} programs and commands, {len(wrong)} wrong')
    return bool(wrong)


if __name__ == '__main__':
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1], sys.argv[2:]))
