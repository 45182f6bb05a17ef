"""read_events.py RUN: a run directory's TensorBoard files, read by the formats' own rules and nothing of dlc's: TFRecord framing
with masked CRC32C, the protobuf messages Event, Summary and HistogramProto. They must say what log.jsonl and curves.jsonl say."""
import glob
import json
import math
import os
import struct
import sys

TABLE = []
for byte in range(256):
    for _ in range(8):
        byte = byte >> 1 ^ (0x82f63b78 if byte & 1 else 0)  # Castagnoli's polynomial, reflected
    TABLE.append(byte)


def masked_crc(data):
    crc = 0xffffffff
    for byte in data:
        crc = crc >> 8 ^ TABLE[(crc ^ byte) & 255]
    crc ^= 0xffffffff
    return ((crc >> 15 | crc << 17) + 0xa282ead8) & 0xffffffff


assert masked_crc(b'123456789') == ((0xe3069283 >> 15 | 0xe3069283 << 17) + 0xa282ead8) & 0xffffffff


def records(path):
    with open(path, 'rb') as f:
        data = f.read()
    at = 0
    while at < len(data):
        length, crc = struct.unpack_from('<QI', data, at)
        assert crc == masked_crc(data[at:at + 8]), (path, at)
        body = data[at + 12:at + 12 + length]
        assert len(body) == length
        crc, = struct.unpack_from('<I', data, at + 12 + length)
        assert crc == masked_crc(body), (path, at)
        yield body
        at += length + 16


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        value, shift, at = value | (byte & 127) << shift, shift + 7, at + 1
        if byte < 128:
            return value, at


def fields(data):
    """A message as (number, value) pairs: integers, doubles and floats, bytes."""
    at = 0
    while at < len(data):
        key, at = varint(data, at)
        kind = key & 7
        if kind == 0:
            value, at = varint(data, at)
        elif kind == 1:
            (value,), at = struct.unpack_from('<d', data, at), at + 8
        elif kind == 5:
            (value,), at = struct.unpack_from('<f', data, at), at + 4
        else:
            assert kind == 2, kind
            length, at = varint(data, at)
            value, at = data[at:at + length], at + length
            assert len(value) == length
        yield key >> 3, value


def doubles(data):
    return struct.unpack(f'<{len(data) // 8}d', data)


def histogram(message):
    """What TensorBoard draws: least, greatest, count, sum, sum of squares, the buckets' upper ends and counts."""
    found = dict(fields(message))
    limits, counts = doubles(found[6]), doubles(found[7])
    assert len(limits) == len(counts) and list(limits) == sorted(limits)
    assert sum(counts) == found[3]
    return found[1], found[2], found[3], found[4], found[5], limits, counts


def near(a, b):
    return abs(a - b) <= 1e-5 * max(abs(a), abs(b), 1e-30) or abs(a - b) < 1e-12


run = sys.argv[1]
scalars, histograms = {}, {}
files = sorted(glob.glob(os.path.join(run, 'events.out.tfevents.*')))
assert files
for path in files:
    for number, body in enumerate(records(path)):
        event = list(fields(body))
        flat = dict(event)
        assert flat[1] > 1.6e9  # wall time: seconds since 1970
        if number == 0:
            assert flat[3] == b'brain.Event:2'
            continue
        step = flat.get(2, 0)
        for _, summary in (item for item in event if item[0] == 5):
            for _, value in fields(summary):
                parts = dict(fields(value))
                tag = parts[1].decode()
                if 2 in parts:
                    scalars[tag, step] = parts[2]
                else:
                    histograms[tag, step] = histogram(parts[5])

checked = 0
with open(os.path.join(run, 'log.jsonl'), encoding='utf-8') as log:
    for line in map(json.loads, log):
        for name, value in line.items():
            if '.' in name:
                assert near(scalars[name, line['step']], value), (name, line)
                checked += 1
with open(os.path.join(run, 'curves.jsonl'), encoding='utf-8') as curves:
    for line in map(json.loads, curves):
        step = line['step']
        for key, tag in (('loss', 'step/loss'), ('lr', 'step/lr'), ('gradient', 'step/gradient_norm')):
            if key in line:
                assert near(scalars[tag, step], line[key]), (tag, line)
                checked += 1
        for name, ratio in line.get('updates', {}).items():
            assert near(scalars['update_ratio/' + name, step], ratio)
            checked += 1
        for item in line.get('histograms', []):
            least, greatest, count, total, squares, limits, counts = histograms[f'{item["what"]}/{item["name"]}', step]
            assert count == item['count'] and near(least, item['least']) and near(greatest, item['greatest'])
            assert abs(total / count - item['mean']) <= 1e-4 * (abs(item['mean']) + item['std'])
            spread = math.sqrt(max(0, squares / count - (total / count) ** 2))
            assert abs(spread - item['std']) <= 1e-3 * (item['std'] + abs(item['mean']) + 1e-30)
            assert [c for c in counts if c] == [c for c in item['bins'] if c] and limits[-1] >= greatest
            checked += 1
print(f'{len(files)} files, {len(scalars)} scalars, {len(histograms)} histograms, {checked} compared')
