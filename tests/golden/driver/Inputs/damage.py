"""Damages every file of a folder: cuts it in half, or flips a bit of it."""
import os
import sys

folder, how = sys.argv[1:]
for name in os.listdir(folder):
    path = os.path.join(folder, name)
    data = bytearray(open(path, "rb").read())
    if how == "truncate":
        data = data[: len(data) // 2]
    else:
        data[len(data) * 3 // 4] ^= 4
    open(path, "wb").write(data)
