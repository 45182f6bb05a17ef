# bytes.py FOLDER: rounds the pictures of FOLDER/x.npy (f32, 0 to 1) to 255ths, and writes them and the labels of l.npy (i32) as
# the bytes that build/Inputs/train.c reads: x.bin, l.bin.
import array
import os
import sys


def path(name):
    return os.path.join(sys.argv[1], name)


def read(name, kind):
    with open(path(name), "rb") as file:
        data = file.read()
    return data[:128], array.array(kind, data[128:])


def write(name, data):
    with open(path(name), "wb") as file:
        file.write(data)


header, pictures = read("x.npy", "f")
levels = [round(x * 255) for x in pictures]
write("x.npy", header + array.array("f", [level / 255 for level in levels]).tobytes())
write("x.bin", bytes(levels))
write("l.bin", bytes(list(read("l.npy", "i")[1])))
