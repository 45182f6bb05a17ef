"""NumPy's .npy files and pictures, for the examples' scripts, by the standard library alone.

read('x.npy') gives (shape, values), the values flat in row-major order; write('x.npy', shape, values) writes f4.
png(width, height, rgb) gives a PNG file's bytes; svg_image puts them into an SVG.
"""
import array
import ast
import base64
import struct
import sys
import zlib

CODES = {'<f4': 'f', '<i4': 'i', '|u1': 'B', '<f8': 'd'}


def read(path):
    with open(path, 'rb') as f:
        bytes_ = f.read()
    if bytes_[:6] != b'\x93NUMPY':
        sys.exit(f'{path} is no .npy file')
    start = 10 if bytes_[6] == 1 else 12
    length = int.from_bytes(bytes_[8:start], 'little')
    header = ast.literal_eval(bytes_[start:start + length].decode())
    if header['descr'] not in CODES or header['fortran_order']:
        sys.exit(f"{path}: {header['descr']} is none of {', '.join(CODES)} in C order")
    values = array.array(CODES[header['descr']])
    values.frombytes(bytes_[start + length:])
    if sys.byteorder == 'big':
        values.byteswap()
    return header['shape'], values


def write(path, shape, values):
    values = array.array('f', values)
    header = "{'descr': '<f4', 'fortran_order': False, 'shape': (%s,), }" % ', '.join(map(str, shape))
    header += ' ' * (-(len(header) + 11) % 64) + '\n'
    if sys.byteorder == 'big':
        values.byteswap()
    with open(path, 'wb') as f:
        f.write(b'\x93NUMPY\x01\x00' + struct.pack('<H', len(header)) + header.encode() + values.tobytes())


def png(width, height, rgb):
    """rgb: 3 * width * height numbers, from 0 to 1."""
    levels = bytes(min(255, max(0, round(255 * value))) for value in rgb)
    lines = b''.join(b'\0' + levels[3 * width * y:3 * width * (y + 1)] for y in range(height))

    def chunk(kind, content):
        return struct.pack('>I', len(content)) + kind + content + struct.pack('>I', zlib.crc32(kind + content))
    return (b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', struct.pack('>IIBBBBB', width, height, 8, 2, 0, 0, 0)) +
            chunk(b'IDAT', zlib.compress(lines)) + chunk(b'IEND', b''))


def svg_image(width, height, rgb, x, y, scale=1):
    """An <image> of these pixels at x, y, each `scale` wide."""
    data = base64.b64encode(png(width, height, rgb)).decode()
    return (f'<image x="{x}" y="{y}" width="{scale * width}" height="{scale * height}" '
            f'style="image-rendering:pixelated" href="data:image/png;base64,{data}"/>\n')


def write_svg(path, width, height, parts):
    with open(path, 'w', encoding='utf-8') as f:
        f.write(f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
                f'viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="11">\n')
        f.write(f'<rect width="{width}" height="{height}" fill="white"/>\n')
        f.writelines(parts)
        f.write('</svg>\n')
