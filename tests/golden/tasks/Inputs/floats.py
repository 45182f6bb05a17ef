"""floats.py FILE.npy SHAPE VALUES writes an array, floats.py FILE.npy prints one: shape and values, to four places."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), *['..'] * 4, 'examples', 'convert'))
import npy  # noqa: E402

if len(sys.argv) == 4:
    shape, values = ([float(word) for word in text.split(',')] for text in sys.argv[2:])
    npy.write(sys.argv[1], [int(size) for size in shape], values)
else:
    shape, values = npy.read(sys.argv[1])
    print(f'{tuple(shape)}:', *(f'{round(value, 4):g}' for value in values))
