# make_data.py FOLDER: small sets in the forms of Fashion-MNIST and CIFAR-10, drawn by a fixed generator, and beside them
# what a C program reads: images as bytes in the order that a model takes, labels as bytes; predict.npy holds floats.
import gzip
import os
import struct
import sys

folder = sys.argv[1]
seed = 12345


def draw(below):
    global seed
    seed = (seed * 6364136223846793005 + 1442695040888963407) % 2**64
    return (seed >> 33) % below


def write(name, data):
    path = os.path.join(folder, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(data)


def idx(magic, dims, data):
    return gzip.compress(struct.pack(">I%dI" % len(dims), magic, *dims) + data, mtime=0)


images, labels = bytes(draw(256) for _ in range(100 * 784)), bytes(draw(10) for _ in range(100))
for split in "train", "t10k":
    write("fashion-mnist/%s-images-idx3-ubyte.gz" % split, idx(0x803, [100, 28, 28], images))
    write("fashion-mnist/%s-labels-idx1-ubyte.gz" % split, idx(0x801, [100], labels))
write("lenet5-images.bin", images)
write("lenet5-labels.bin", labels)

planes, labels, turned = bytes(draw(256) for _ in range(40 * 3072)), bytes(draw(10) for _ in range(40)), bytearray()
records = [labels[k : k + 1] + planes[k * 3072 : (k + 1) * 3072] for k in range(40)]
for k in range(5):
    write("cifar10/data_batch_%d.bin" % (k + 1), b"".join(records[k * 8 : k * 8 + 8]))
write("cifar10/test_batch.bin", b"".join(records[:2]))
for k in range(40):
    for pixel in range(1024):
        turned += bytes(planes[k * 3072 + c * 1024 + pixel] for c in range(3))
write("resnet20-images.bin", bytes(turned))
write("resnet20-labels.bin", labels)

header = "{'descr': '<f4', 'fortran_order': False, 'shape': (100, 28, 28, 1), }".ljust(117) + "\n"
numbers = [(draw(2001) - 1000) / 500 for _ in range(100 * 784)]
write("predict.npy", b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + struct.pack("<78400f", *numbers))
