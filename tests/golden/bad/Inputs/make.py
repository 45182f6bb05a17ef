"""make.py FILE PIECE..: a file of these pieces, one after the other. A piece is a hexadecimal string, or NAME:ARGUMENT..:
text:T, zeros:N, be:N.. and le:N.. (32-bit numbers), f32:X.., i64:N.., npy:DESCR:SHAPE[:ORDER] (an .npy header), json:T (a
safetensors header with its length), cifar:LABEL.. (whole records); gzip alone packs all that stands before it."""
import gzip
import struct
import sys


def npy(descr, shape, order='False'):
    text = "{'descr': '%s', 'fortran_order': %s, 'shape': (%s), }" % (descr, order, shape)
    text += ' ' * (-(len(text) + 11) % 64) + '\n'
    return b'\x93NUMPY\x01\x00' + struct.pack('<H', len(text)) + text.encode()


def packed(form, convert):
    return lambda *words: struct.pack('%s%d%s' % (form[0], len(words), form[1]), *map(convert, words))


kinds = {
    'text': lambda *words: ':'.join(words).encode(),
    'zeros': lambda count: bytes(int(count)),
    'be': packed('>I', int),
    'le': packed('<I', int),
    'f32': packed('<f', float),
    'i64': packed('<q', int),
    'npy': npy,
    'json': lambda *words: struct.pack('<Q', len(':'.join(words))) + ':'.join(words).encode(),
    'cifar': lambda *labels: b''.join(bytes([int(label)]) + bytes(3072) for label in labels),
}
content = b''
for piece in sys.argv[2:]:
    name, *arguments = piece.split(':')
    if piece == 'gzip':
        content = gzip.compress(content, mtime=0)
    else:
        content += kinds[name](*arguments) if name in kinds else bytes.fromhex(piece)
with open(sys.argv[1], 'wb') as f:
    f.write(content)
