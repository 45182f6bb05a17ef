"""fmt_all.py DLC FOLDER...: every program that parses is formatted to one that formats to itself and keeps its tokens and
its comments (dlc itself compares the trees): as it stands, with its indentation taken away, and with its blanks and line
breaks thrown about by chance."""
import os
import random
import re
import subprocess
import sys
import tempfile
import zlib

TOKENS = re.compile(rb'#[^\n]*|"(?:\\.|[^"\\\n])*"|\n|[ \t\r]+|[^\s"#]+|"')


def fmt(dlc, path):
    done = subprocess.run([dlc, 'fmt', path, '-o', '-'], capture_output=True)
    assert done.returncode in (0, 1), (path, done.returncode, done.stderr)
    return done.stdout if done.returncode == 0 else None


def files(folders):
    for folder in folders:
        for at, _, names in os.walk(folder):
            yield from (os.path.join(at, name) for name in sorted(names) if name.endswith('.dl'))


def thrown_about(text, chance):
    """Every run of blanks becomes another one; line breaks come and go, but for those that end a comment."""
    out, comment = [], False
    for token in TOKENS.findall(text):
        if token.isspace():
            token = chance.choice((b' ', b' ', b'   ', b'\t', b'\n', b'\n\n', b'\n\n\n\n  ', b' \n'))
            if comment:
                token = b'\n' + token
        comment = token.startswith(b'#')
        out.append(token)
    return b''.join(out)


def content(text):
    """What is no layout: the tokens, then the comments."""
    tokens = [token.rstrip() for token in TOKENS.findall(text)]
    return b''.join(t for t in tokens if not t.startswith(b'#')), [t for t in tokens if t.startswith(b'#')]


def variants(path, text):
    chance = random.Random(zlib.crc32(os.path.basename(path).encode()))
    yield text
    yield re.sub(rb'(?m)^[ \t]+', b'', text)
    yield thrown_about(text, chance)


def check(dlc, path, again, variant):
    """Whether the variant was formatted; False where it does not parse."""
    with open(again, 'wb') as f:
        f.write(variant)
    once = fmt(dlc, again)
    if once is None:
        return False
    assert content(once) == content(variant), f'{path} loses a token or a comment'
    with open(again, 'wb') as f:
        f.write(once)
    assert fmt(dlc, again) == once, f'{path} changes when it is formatted once more'
    return True


def main(dlc, folders):
    formatted = refused = 0
    with tempfile.TemporaryDirectory() as scratch:
        again = os.path.join(scratch, 'again.dl')
        for path in files(folders):
            with open(path, 'rb') as f:
                text = f.read()
            done = [check(dlc, path, again, variant) for variant in variants(path, text)]
            assert all(done) or not any(done), f'{path} parses in one layout and not in another: {done}'
            formatted += sum(done)
            refused += len(done) - sum(done)
    print(f'{formatted} formatted, {refused} refused')


main(sys.argv[1], sys.argv[2:])
