"""check_report.py PAGE ROWS RIGHT: the confusion matrix's cells add up to ROWS and its diagonal to RIGHT, every inlined
picture is a whole 28 x 28 PNG, and as many mistakes are shown as the page has room for."""
import base64
import re
import struct
import sys
import zlib

page, rows, right = open(sys.argv[1], encoding='utf-8').read(), int(sys.argv[2]), int(sys.argv[3])
cells = [tuple(map(int, cell)) for cell in re.findall(r'label (\d+), said (\d+): (\d+)<', page)]
assert len(cells) == 100 and sum(cell[2] for cell in cells) == rows, cells
assert sum(count for label, said, count in cells if label == said) == right
pictures = re.findall(r'data:image/png;base64,([A-Za-z0-9+/=]+)"', page)
assert len(pictures) == min(24, rows - right), len(pictures)
for text in pictures:
    png = base64.b64decode(text, validate=True)
    assert png[:8] == b'\x89PNG\r\n\x1a\n' and struct.unpack('>II', png[16:24]) == (28, 28)
    at = png.index(b'IDAT')
    length = struct.unpack('>I', png[at - 4:at])[0]
    assert len(zlib.decompress(png[at + 4:at + 4 + length])) == 28 * 29
for label, said, sure in re.findall(r'is (\d+), said (\d+)<br>(\d+) % sure', page):
    assert label != said and 0 < int(sure) <= 100
