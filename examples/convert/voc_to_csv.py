#!/usr/bin/env python3
"""Boxes of Pascal VOC's XML files as one CSV file, for dlc's csv() and images(list = ..).

  voc_to_csv.py ANNOTATIONS OUT.csv --classes RBC,WBC,Platelets [--list train.txt] [--most 30]

One line for each annotation, in the list's order or that of the files' names: the image's name without its ending, then
for each box its class (from 1), x and y of its middle, width and height in sides of the image. Lines are filled up with
zeros to --most boxes. In a program:

  train {
    image = images("JPEGImages", size = 128, list = "train.csv", header = true) / 255
    boxes = reshape(csv("train.csv", 1..151, header = true), [-1, 30, 5])
  }
"""
import argparse
import csv
import os
import sys
import xml.etree.ElementTree as xml


def boxes_of(path, classes):
    root = xml.parse(path).getroot()
    width, height = (float(root.find('size/' + side).text) for side in ('width', 'height'))
    if not (width > 0 and height > 0):
        sys.exit(f'{path}: the image has no size')
    for item in root.iter('object'):
        name = item.find('name').text.strip()
        if name not in classes:
            sys.exit(f"{path}: '{name}' is none of the classes {', '.join(classes)}")
        x0, y0, x1, y1 = (float(item.find('bndbox/' + end).text) for end in ('xmin', 'ymin', 'xmax', 'ymax'))
        middle = (x0 + x1) / 2 / width, (y0 + y1) / 2 / height
        yield classes.index(name) + 1, *middle, abs(x1 - x0) / width, abs(y1 - y0) / height


def names_of(arguments):
    if arguments.list:
        with open(arguments.list, encoding='utf-8') as f:
            return [line.split()[0] for line in f if line.strip()]
    return sorted(name[:-4] for name in os.listdir(arguments.annotations) if name.endswith('.xml'))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('annotations')
    parser.add_argument('out')
    parser.add_argument('--classes', required=True, type=lambda text: text.split(','))
    parser.add_argument('--list')
    parser.add_argument('--most', type=int, default=30)
    arguments = parser.parse_args()
    with open(arguments.out, 'w', newline='', encoding='utf-8') as f:
        out = csv.writer(f, lineterminator='\n')
        header = [f'{what}_{k}' for k in range(arguments.most) for what in ('class', 'x', 'y', 'width', 'height')]
        out.writerow(['image'] + header)
        for name in names_of(arguments):
            path = os.path.join(arguments.annotations, name + '.xml')
            boxes = list(boxes_of(path, arguments.classes))
            if len(boxes) > arguments.most:
                sys.exit(f'{path}: {len(boxes)} boxes; --most {len(boxes)} makes room for them')
            values = [f'{value:.6g}' for box in boxes for value in box]
            out.writerow([name] + values + ['0'] * (5 * arguments.most - len(values)))


if __name__ == '__main__':
    main()
