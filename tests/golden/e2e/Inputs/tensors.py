"""tensors.py FILE: names, types and shapes of a safetensors file in the order in which they lie there, nothing between them.
tensors.py FILE NAME: that tensor's numbers, to four digits. tensors.py A B TOLERANCE: the same names, and near numbers."""
import json
import struct
import sys


def read(path):
    """(name, header entry, numbers) of every tensor, by its place."""
    with open(path, 'rb') as f:
        length, = struct.unpack('<Q', f.read(8))
        header, data = json.loads(f.read(length)), f.read()
    header.pop('__metadata__', None)
    items = sorted(header.items(), key=lambda item: item[1]['data_offsets'])
    at = 0
    for name, entry in items:
        begin, end = entry['data_offsets']
        assert begin == at and (end - begin) % 4 == 0
        at = end
        yield name, entry, struct.unpack(f'<{(end - begin) // 4}{"i" if entry["dtype"] == "I32" else "f"}', data[begin:end])
    assert at == len(data)


def main():
    if len(sys.argv) == 2:
        for name, entry, _ in read(sys.argv[1]):
            print(name, entry['dtype'], entry['shape'])
    elif len(sys.argv) == 3:
        print(*(f'{x:.4g}' for name, _, numbers in read(sys.argv[1]) if name == sys.argv[2] for x in numbers))
    else:
        for (name, _, a), (other, _, b) in zip(read(sys.argv[1]), read(sys.argv[2]), strict=True):
            assert name == other, (name, other)
            scale = max(map(abs, a), default=0) + 1e-30
            assert all(abs(x - y) <= float(sys.argv[3]) * scale for x, y in zip(a, b, strict=True)), name
        print('near')


if __name__ == '__main__':
    main()
