"""Lines and branches of gcovr's JSON report: room by room, in all, and the files that miss some."""
import collections
import json
import sys


def share(hit, of):
    return f"{hit}/{of} {100 * hit / of:.1f} %" if of else "none"


def counts(file):
    """Lines hit, lines, branches hit, branches."""
    lines = [line for line in file["lines"] if not line.get("gcovr/noncode")]
    branches = [branch for line in lines for branch in line["branches"] if not branch.get("throw")]
    return (sum(line["count"] > 0 for line in lines), len(lines),
            sum(branch["count"] > 0 for branch in branches), len(branches))


def main(path):
    rooms, files = collections.defaultdict(lambda: [0] * 4), {}
    with open(path, encoding="utf-8") as text:
        report = json.load(text)
    for file in report["files"]:
        files[file["file"]] = counts(file)
        for room in (file["file"].split("/")[0], "all"):
            rooms[room] = [a + b for a, b in zip(rooms[room], files[file["file"]])]
    for room, (hit, lines, taken, branches) in sorted(rooms.items(), key=lambda item: item[0] == "all"):
        print(f"{room:10} lines {share(hit, lines):22} branches {share(taken, branches)}")
    for name, (hit, lines, taken, branches) in sorted(files.items(), key=lambda item: item[1][2] - item[1][3]):
        if hit < lines or taken < branches:
            print(f"  {name:32} {lines - hit} of {lines} lines, {branches - taken} of {branches} branches not run")


main(sys.argv[1])
