"""Fenced blocks of Markdown, and what each must do.

The word behind the fence says what a block is; what follows it, what must happen:

  dl                      a program that `dlc check` accepts
  dl error=E0203          a program with exactly this one error
  dl at=x=[1,2]           a program for `dlc grad --quiet --at`
  dl file=blocks.dl       the program's name (else program.dl); later blocks of the section may use it
  dlir [passes=a,b]       a graph that `dlc opt` accepts; error= as above
  c file=main.c           a C program that compiles in the block's folder, with what dlc build put there
  sh [status=3]           a shell script, with dlc on the PATH; error= and warning= name the one code that it shows
  text [near=0.1]         directly behind one of these: exactly what it printed (its errors, where it has some);
                          near: numbers may be so much off, as a part of themselves

The blocks of one section run in order in one fresh folder, in which `examples` leads to the repository's.
"""
import os
import re
import subprocess
import tempfile

KINDS = ('dl', 'dlir', 'c', 'sh', 'text')
HEADERS = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..', 'runtime')  # where dlc.h is
SECONDS = 120  # for one block
NUMBER = re.compile(r'\d+(?:\.\d+)?(?:e[-+]?\d+)?')
EXAMPLES = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))), 'examples')


class Block:
    def __init__(self, path, line, info, section):
        words = info.split()
        self.path, self.line, self.section = path, line, section
        self.kind = words[0] if words else ''
        self.flags = dict(word.split('=', 1) for word in words[1:] if '=' in word)
        self.lines = []
        self.follows = False  # only blank lines between the block before and this one

    @property
    def place(self):
        return f'{self.path}:{self.line}'

    @property
    def text(self):
        return ''.join(self.lines)

    @property
    def code(self):
        return self.flags.get('error') or self.flags.get('warning')


def read(path):
    """All fenced blocks of a file, in order. A section is what stands below one heading of level 1 to 3."""
    blocks, section, block, follows = [], '', None, False
    with open(path, encoding='utf-8') as f:
        for number, line in enumerate(f, 1):
            if line.startswith('```'):
                if block:
                    blocks.append(block)
                    block, follows = None, True
                else:
                    block = Block(path, number, line[3:].strip(), section)
                    block.follows = follows
            elif block:
                block.lines.append(line)
            elif line.strip():
                follows = False
                if re.match(r'#{1,3} ', line):
                    section = line.lstrip('#').strip()
    if block:
        raise SystemExit(f'{block.place}: this block does not end')
    return blocks


def alike(wanted, found, near):
    """The same words, and numbers within `near` of each other."""
    if not near:
        return wanted == found
    if NUMBER.sub('', wanted) != NUMBER.sub('', found):
        return False
    pairs = zip(map(float, NUMBER.findall(wanted)), map(float, NUMBER.findall(found)))
    return all(abs(a - b) <= near * max(abs(a), abs(b)) for a, b in pairs)


class Runner:
    """Runs blocks; `wrong` collects what did not do as it says."""

    def __init__(self, dlc):
        self.dlc = dlc
        self.wrong, self.ran = [], 0
        self.folder = self.section = self.shown = None
        self.environment = {'PATH': os.path.dirname(dlc) + os.pathsep + os.environ.get('PATH', ''), 'NO_COLOR': '1',
                            'LC_ALL': 'C.UTF-8', 'HOME': os.environ.get('HOME', '/')}
        for name in ('ASAN_OPTIONS', 'TSAN_OPTIONS', 'LLVM_PROFILE_FILE', 'TMPDIR'):
            if name in os.environ:
                self.environment[name] = os.environ[name]

    def fail(self, block, message):
        self.wrong.append(f'{block.place}: {message}')

    def run(self, blocks):
        for block in blocks:
            if block.section != self.section or self.folder is None:
                self.section, self.shown = block.section, None
                self.folder = tempfile.TemporaryDirectory()
                os.symlink(EXAMPLES, os.path.join(self.folder.name, 'examples'))
            if block.kind == 'text':
                self.compare(block)
            elif block.kind in KINDS:
                self.shown = self.execute(block)

    def command(self, block):
        """What to execute for a block, after writing its file."""
        if block.kind == 'sh':
            return ['sh', '-eu', '-c', block.text]
        name = block.flags.get('file', 'program.' + block.kind)
        with open(os.path.join(self.folder.name, name), 'w', encoding='utf-8') as f:
            f.write(block.text)
        if block.kind == 'c':
            return ['cc', '-std=c11', '-Wall', '-Wextra', '-Werror', '-fsyntax-only', '-I' + HEADERS, name]
        if block.kind == 'dlir':
            passes = block.flags.get('passes')
            return [self.dlc, 'opt', name] + (['--passes', passes] if passes else [])
        at = block.flags.get('at')
        return [self.dlc, 'grad', name, '--quiet', '--at', at] if at else [self.dlc, 'check', name]

    def execute(self, block):
        self.ran += 1
        environment = dict(self.environment)
        if 'ulimit' in block.text:  # a coverage build's counters must not be cut off by the limit
            environment['GCOV_PREFIX'] = self.folder.name
        try:
            done = subprocess.run(self.command(block), cwd=self.folder.name, env=environment, text=True,
                                  stdin=subprocess.DEVNULL, capture_output=True, timeout=SECONDS, check=False)
        except subprocess.TimeoutExpired:
            self.fail(block, f'not done after {SECONDS} s')
            return None
        self.judge(block, done)
        return done.stderr if block.flags.get('error') else done.stdout

    def judge(self, block, done):
        found = re.findall(r'\b(error|warning)\[(E\d{4})\]', done.stderr)
        wanted = [(word, block.flags[word]) for word in ('error', 'warning') if word in block.flags]
        status = block.flags.get('status')
        fits = done.returncode == int(status) if status else (done.returncode != 0) == ('error' in block.flags)
        if found != wanted:
            self.fail(block, f'says {wanted or "nothing"}, but dlc says {found or "nothing"}:\n{done.stderr.rstrip()}')
        elif not fits:
            self.fail(block, f'status {done.returncode}:\n{done.stderr.rstrip()}')

    def compare(self, block):
        near = float(block.flags.get('near', 0))
        if block.follows and self.shown is not None and not alike(block.text.strip(), self.shown.strip(), near):
            self.fail(block, f'this is printed instead:\n{self.shown.rstrip()}')
