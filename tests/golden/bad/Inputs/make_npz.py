"""make_npz.py FILE METHOD [CUT]: an .npz file with x = [[1, 2], [3, 4]] as f4, METHOD 0 (stored), 8 (deflated) or another
number, written into the headers; CUT: only so many bytes of it."""
import io
import struct
import sys
import zipfile

header = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), }"
header += ' ' * (-(len(header) + 11) % 64) + '\n'
array = b'\x93NUMPY\x01\x00' + struct.pack('<H', len(header)) + header.encode() + struct.pack('<4f', 1, 2, 3, 4)
method = int(sys.argv[2])
out = io.BytesIO()
with zipfile.ZipFile(out, 'w', zipfile.ZIP_DEFLATED if method == 8 else zipfile.ZIP_STORED) as archive:
    with archive.open(zipfile.ZipInfo('x.npy') if method != 8 else 'x.npy', 'w', force_zip64=True) as member:
        member.write(array)  # as NumPy does: sizes of 64 bits
content = bytearray(out.getvalue())
if method not in (0, 8):
    directory = content.rindex(b'PK\x01\x02')
    content[directory + 10:directory + 12] = struct.pack('<H', method)
with open(sys.argv[1], 'wb') as f:
    f.write(content[:int(sys.argv[3])] if len(sys.argv) > 3 else content)
