"""Just enough of protocol buffers to read ONNX's test data, and of .npy to hand it over: no packages needed."""
import math
import struct

TYPES = {1: ('f', 4), 2: ('B', 1), 3: ('b', 1), 4: ('H', 2), 5: ('h', 2), 6: ('i', 4), 7: ('q', 8), 9: ('?', 1),
         10: ('e', 2), 11: ('d', 8), 12: ('I', 4), 13: ('Q', 8)}
FLOATS = {1, 10, 11, 16}


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7


def fields(data):
    """{field number: [values]}: numbers, or bytes."""
    found, at = {}, 0
    while at < len(data):
        key, at = varint(data, at)
        if key & 7 == 0:
            value, at = varint(data, at)
        elif key & 7 == 2:
            size, at = varint(data, at)
            value, at = data[at:at + size], at + size
        else:
            size = 8 if key & 7 == 1 else 4
            value, at = data[at:at + size], at + size
        found.setdefault(key >> 3, []).append(value)
    return found


def signed(value):
    return value - (1 << 64) if value >> 63 else value


def numbers(values):
    """A repeated field of whole numbers, packed or not."""
    out = []
    for value in values:
        if isinstance(value, int):
            out.append(signed(value))
            continue
        at = 0
        while at < len(value):
            one, at = varint(value, at)
            out.append(signed(one))
    return out


class Tensor:
    """A TensorProto: data_type, dims, values (None for types that this does not read)."""

    def __init__(self, data):
        f = fields(data)
        self.type = f.get(2, [0])[0]
        self.dims = numbers(f.get(1, []))
        self.values = self.read(f)

    def read(self, f):
        if self.type == 16:  # bfloat16
            raw = f[9][0] if 9 in f else b''.join(struct.pack('<H', v & 0xffff) for v in numbers(f.get(5, [])))
            return [struct.unpack('<f', b'\0\0' + raw[k:k + 2])[0] for k in range(0, len(raw), 2)]
        if self.type not in TYPES:
            return None
        letter, size = TYPES[self.type]
        if 9 in f:
            raw = f[9][0]
            return list(struct.unpack(f'<{len(raw) // size}{letter}', raw))
        for number, code, width in ((4, 'f', 4), (10, 'd', 8)):
            if number in f:
                raw = b''.join(f[number])
                return list(struct.unpack(f'<{len(raw) // width}{code}', raw))
        whole = numbers(f.get(5, []) + f.get(7, []) + f.get(11, []))
        if self.type == 10:
            return [struct.unpack('<e', struct.pack('<H', v & 0xffff))[0] for v in whole]
        return [bool(v) for v in whole] if self.type == 9 else whole


class Model:
    """A ModelProto: names of inputs (without initializers) and outputs, the operators of its nodes."""

    def __init__(self, data):
        graph = fields(fields(data)[7][0])
        held = {fields(t)[8][0] for t in graph.get(5, []) if 8 in fields(t)}
        self.inputs = [fields(v)[1][0].decode() for v in graph.get(11, []) if fields(v)[1][0] not in held]
        self.outputs = [fields(v)[1][0].decode() for v in graph.get(12, [])]
        self.operators = [fields(n)[4][0].decode() for n in graph.get(1, [])]


def strides(dims):
    out, step = [0] * len(dims), 1
    for d in range(len(dims) - 1, -1, -1):
        out[d], step = step, step * dims[d]
    return out


def permuted(dims, values, axes):
    """Dimension p of the result is dimension axes[p]: (dims, values)."""
    if list(axes) == list(range(len(dims))):
        return dims, values
    to = [dims[a] for a in axes]
    step = [strides(dims)[a] for a in axes]
    positions = [0]
    for size, stride in zip(to, step):
        positions = [p + k * stride for p in positions for k in range(size)]
    return to, [values[p] for p in positions]


def write_npy(path, kind, dims, values):
    """kind: f4, i8 or b1."""
    shape = '(' + ''.join(f'{d}, ' for d in dims) + ')'
    head = f"{{'descr': '{'|' if kind == 'b1' else '<'}{kind}', 'fortran_order': False, 'shape': {shape}, }}"
    head += ' ' * (-(len(head) + 11) % 64) + '\n'
    letter = {'f4': 'f', 'i8': 'q', 'b1': '?'}[kind]
    if kind == 'f4':
        values = [math.copysign(math.inf, v) if abs(v) > 3.4028235e38 else v for v in values]
    with open(path, 'wb') as f:
        f.write(b'\x93NUMPY\x01\x00' + struct.pack('<H', len(head)) + head.encode())
        f.write(struct.pack(f'<{len(values)}{letter}', *values))


def read_npy(path):
    """(kind, dims, values) of what dlc writes: f4, i4, b1."""
    with open(path, 'rb') as f:
        data = f.read()
    size = struct.unpack('<H', data[8:10])[0]
    head = eval(data[10:10 + size], {'__builtins__': {}}, {'False': False, 'True': True})  # dlc's own file
    kind = head['descr'][1:]
    letter, width = {'f4': ('f', 4), 'i4': ('i', 4), 'b1': ('?', 1), 'u1': ('B', 1)}[kind]
    body = data[10 + size:]
    return kind, list(head['shape']), list(struct.unpack(f'<{len(body) // width}{letter}', body))
