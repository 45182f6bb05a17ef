#!/usr/bin/env python3
"""Writes small ONNX models, whole ones and wrong ones, with nothing but Python.

  make.py NAME FILE.onnx      NAME is a function below
"""
import os
import random
import struct
import sys

FLOAT, INT64 = 1, 7


# ---- protocol buffers -------------------------------------------------------------------------------------------------

def varint(value):
    value &= (1 << 64) - 1
    out = b''
    while value > 127:
        out, value = out + bytes([value & 127 | 128]), value >> 7
    return out + bytes([value])


def field(number, value):
    """A whole number, a float, a text, bytes, or a list of any."""
    if isinstance(value, list):
        return b''.join(field(number, v) for v in value)
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    if isinstance(value, float):
        return varint(number << 3 | 5) + struct.pack('<f', value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


# ---- ONNX's messages --------------------------------------------------------------------------------------------------

def attribute(name, value):
    kind, number = {int: (2, 3), float: (1, 2), str: (3, 4)}.get(type(value), (7, 8))
    return field(1, name) + field(20, kind) + field(number, value)


def node(op, inputs, outputs, name='', domain='', **attributes):
    return (field(1, inputs) + field(2, outputs) + (field(3, name) if name else b'') + field(4, op) +
            b''.join(field(5, attribute(k, v)) for k, v in attributes.items()) + (field(7, domain) if domain else b''))


def floats(name, dims, values=None):
    count = 1
    for d in dims:
        count *= d
    draw = random.Random(name)
    values = values or [draw.uniform(-0.5, 0.5) for _ in range(count)]
    return field(1, dims) + field(2, FLOAT) + field(8, name) + field(9, struct.pack(f'<{count}f', *values))


def whole(name, values):
    return field(1, [len(values)]) + field(2, INT64) + field(8, name) + field(9, struct.pack(f'<{len(values)}q', *values))


def external(name, dims, **entries):
    """A tensor whose data is in another file."""
    return (field(1, dims) + field(2, FLOAT) + field(8, name) +
            b''.join(field(13, field(1, k) + field(2, v)) for k, v in entries.items()) + field(14, 1))


def value(name, dims, kind=FLOAT):
    shape = b''.join(field(1, field(2, d) if isinstance(d, str) else field(1, d)) for d in dims)
    return field(1, name) + field(2, field(1, field(1, kind) + field(2, shape)))


def model(nodes, inputs, outputs, tensors=(), opset=13):
    graph = (field(1, list(nodes)) + field(2, 'graph') + field(5, list(tensors)) + field(11, list(inputs)) +
             field(12, [value(o, []) if isinstance(o, str) else o for o in outputs]))
    return field(1, 8) + field(2, 'make.py') + field(8, field(2, opset)) + field(7, graph)


# ---- models -----------------------------------------------------------------------------------------------------------

def small(first=None):
    """A convolution, batch norm, a pool, and a dense layer behind a flattened image."""
    nodes = [first or node('Conv', ['image', 'w1', 'b1'], ['c'], kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
             node('BatchNormalization', ['c', 'gamma', 'beta', 'mean', 'var'], ['bn'], epsilon=0.001),
             node('Relu', ['bn'], ['r']),
             node('MaxPool', ['r'], ['p'], kernel_shape=[2, 2], strides=[2, 2]),
             node('Flatten', ['p'], ['f']),
             node('Gemm', ['f', 'w2', 'b2'], ['scores'], transB=1)]
    tensors = [floats('w1', [4, 2, 3, 3]), floats('b1', [4]), floats('gamma', [4]), floats('beta', [4]), floats('mean', [4]),
               floats('var', [4], [0.5, 1.0, 1.5, 2.0]), floats('w2', [3, 24]), floats('b2', [3])]
    return model(nodes, [value('image', ['batch', 2, 4, 6])], ['scores'], tensors)


def stride_zero():
    return small(node('Conv', ['image', 'w1', 'b1'], ['c'], name='first', pads=[1, 1, 1, 1], strides=[0, 1]))


def pad_negative():
    return small(node('Conv', ['image', 'w1', 'b1'], ['c'], name='first', pads=[-1, 1, 1, 1]))


def groups_wrong():
    return small(node('Conv', ['image', 'w1', 'b1'], ['c'], name='first', group=3))


def nothing_for():
    """Two nodes that dlc has nothing for, one that depends on one, and one that is fine."""
    nodes = [node('Det', ['x'], ['a'], name='determinant'), node('Relu', ['a'], ['b']),
             node('Relu', ['x'], ['c'], name='mine', domain='my.domain'), node('Tanh', ['x'], ['d'])]
    return model(nodes, [value('x', ['N', 3])], ['b', 'c', 'd'])


def circle():
    nodes = [node('Relu', ['x'], ['a']), node('Add', ['a', 'c'], ['b']), node('Relu', ['b'], ['c'])]
    return model(nodes, [value('x', ['N', 3])], ['c'])


def unsorted():
    return model([node('Relu', ['a'], ['y']), node('Tanh', ['x'], ['a'])], [value('x', ['N', 3])], ['y'])


def loose_end():
    return model([node('Relu', ['z'], ['y'])], [value('x', ['N', 3])], ['y'])


def made_twice():
    return model([node('Relu', ['x'], ['y']), node('Tanh', ['x'], ['y'])], [value('x', ['N', 3])], ['y'])


def no_output():
    return model([node('Relu', ['x'], ['y'])], [value('x', ['N', 3])], ['z'])


def new_opset():
    return model([node('Relu', ['x'], ['y'])], [value('x', ['N', 3])], ['y'], opset=99)


def text_input():
    return model([node('Relu', ['x'], ['y'])], [value('x', ['N', 3], kind=8)], ['y'])


def huge_input():
    return model([node('Relu', ['x'], ['y'])], [value('x', [1 << 40, 1 << 40])], ['y'])


def huge_tensor():
    tensor = field(1, [1 << 40]) + field(2, FLOAT) + field(8, 'w') + field(9, b'1234')
    return model([node('Add', ['x', 'w'], ['y'])], [value('x', ['N', 3])], ['y'], [tensor])


def short_tensor():
    tensor = field(1, [1000000]) + field(2, FLOAT) + field(8, 'w') + field(9, b'1234')
    return model([node('Add', ['x', 'w'], ['y'])], [value('x', ['N', 3])], ['y'], [tensor])


def expand_bomb():
    nodes = [node('Expand', ['x', 'shape'], ['y'])]
    return model(nodes, [value('x', [1, 1])], ['y'], [whole('shape', [1 << 30, 1 << 20])])


def deep():
    """Graphs in attributes of graphs, a hundred deep."""
    inner = b''
    for _ in range(100):
        inner = field(1, field(4, 'If') + field(5, field(1, 'then_branch') + field(6, inner)))
    return field(8, field(2, 13)) + field(7, inner)


def needs_shape():
    return model([node('Reshape', ['x', 'shape'], ['y'])], [value('x', [2, 6]), value('shape', [2], kind=INT64)], ['y'])


def open_size():
    return model([node('Relu', ['x'], ['y'])], [value('x', ['batch', 'length'])], ['y'])


def hostile_names():
    nodes = [node('Relu', ['../x y'], ['\x1b[31m%n']), node('Tanh', ['\x1b[31m%n'], ['model'])]
    return model(nodes, [value('../x y', ['N', 3])], ['\x1b[31m%n', 'model'])


def unknown_hostile():
    return model([node('Det', ['x'], ['y'], name='\x1b[31m%n%s')], [value('x', ['N', 3])], ['y'])


def outside(**entries):
    nodes = [node('MatMul', ['x', 'w'], ['y'])]
    return model(nodes, [value('x', ['N', 2])], ['y'], [external('w', [2, 2], **entries)])


def external_good():
    return outside(location='data/w.bin', offset='4', length='16')


def external_up():
    return outside(location='data/../../w.bin')


def external_absolute():
    return outside(location='/etc/passwd')


def external_link():
    return outside(location='link.bin')


def external_folder_link():
    return outside(location='linked/w.bin', offset='4', length='16')


def external_hard():
    return outside(location='hard.bin', offset='4', length='16')


def external_fifo():
    return outside(location='fifo.bin')


def external_missing():
    return outside(location='nothing.bin')


def external_offset():
    return outside(location='data/w.bin', offset='-4')


def external_length():
    return outside(location='data/w.bin', length='1000000000000000')


def external_number():
    return outside(location='data/w.bin', offset='4x')


def external_nowhere():
    return outside(offset='4')


def blocks():
    """Three residual blocks alike, then one of another width, then a head."""
    nodes, tensors, x = [], [], 'image'

    def conv(x, name, cin, cout, k):
        tensors.append(floats(name + '.w', [cout, cin, k, k]))
        pad = k // 2
        nodes.append(node('Conv', [x, name + '.w'], [name], kernel_shape=[k, k], pads=[pad] * 4))
        return name

    def block(x, name, c):
        a = conv(x, name + '.a', c, c, 3)
        nodes.append(node('Relu', [a], [name + '.r']))
        b = conv(name + '.r', name + '.b', c, c, 3)
        nodes.append(node('Add', [b, x], [name + '.sum']))
        nodes.append(node('Relu', [name + '.sum'], [name + '.out']))
        return name + '.out'

    x = conv(x, 'stem', 2, 4, 3)
    for k in range(3):
        x = block(x, f'b{k}', 4)
    x = conv(x, 'wider', 4, 8, 1)
    for k in range(3, 5):
        x = block(x, f'b{k}', 8)
    nodes.append(node('GlobalAveragePool', [x], ['pooled']))
    nodes.append(node('Flatten', ['pooled'], ['flat']))
    nodes.append(node('Gemm', ['flat', 'head.w', 'head.b'], ['scores'], transB=1))
    tensors += [floats('head.w', [3, 8]), floats('head.b', [3])]
    return model(nodes, [value('image', ['N', 2, 5, 5])], ['scores'], tensors)


if __name__ == '__main__':
    with open(sys.argv[2], 'wb') as out:
        out.write(globals()[sys.argv[1]]())
