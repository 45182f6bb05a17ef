#!/usr/bin/env python3
"""Compile time of networks of 10 to 1000 layers, by stage: it must grow with the number of layers and no faster.

    python3 tests/bench/compile_time.py [--dlc build/dlc] [--layers 10,30,100,300,1000] [--kind dense|conv|varied]

Milliseconds for the training version, the machine code from an empty cache (`code`) and then from a full one (`kept`, all
stages together). The last line is the time for a layer of the largest network over that of the smallest but one.
kinds: dense: layers of one size, which share their code; conv: residual blocks; varied: layers of 50 sizes.
"""
import argparse
import json
import os
import subprocess
import tempfile

STAGES = ["read", "lower", "passes", "plan", "loops", "look", "code", "keep", "link"]


def dense(n):
    return "x: f32[N, 64]", ["dense(64) |> relu"] * n


def varied(n):
    return "x: f32[N, 64]", [f"dense({16 + k * 37 % 50}) |> relu" for k in range(n)]


def conv(n):
    return "x: f32[N, 8, 8, 16]", ["conv2d(16, 3, pad = 1) |> batch_norm |> relu"] * n


def program(kind, n):
    argument, layers = kind(n)
    lines = ["  %s = %s |> %s" % ("h%d" % (k + 1), "h%d" % k if k else "x", layer) for k, layer in enumerate(layers)]
    return "model deep(%s) {\n%s\n  h%d\n}\n" % (argument, "\n".join(lines), n)


def compile_once(dlc, path, cache):
    command = [dlc, path, "--mode", "train", "--batch", "16", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, env=dict(os.environ, DLC_CACHE=cache))
    if done.returncode:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dlc", default="build/dlc")
    parser.add_argument("--layers", default="10,30,100,300,1000")
    parser.add_argument("--kind", default="dense", choices=["dense", "conv", "varied"])
    options = parser.parse_args()
    kind = {"dense": dense, "conv": conv, "varied": varied}[options.kind]
    print(("%7s" + "%9s" * (len(STAGES) + 2) + "%9s") % ("layers", *STAGES, "all", "kept", "kernels"))
    each = []
    with tempfile.TemporaryDirectory() as folder:
        for n in map(int, options.layers.split(",")):
            path = os.path.join(folder, "deep.dl")
            with open(path, "w") as file:
                file.write(program(kind, n))
            cold, kept = (compile_once(options.dlc, path, os.path.join(folder, f"cache{n}")) for _ in range(2))
            row = [1e3 * cold["stages_s"][stage] for stage in STAGES]
            each.append(sum(row) / n)
            print(("%7d" + "%9.1f" * (len(STAGES) + 2) + "%9d")
                  % (n, *row, sum(row), 1e3 * kept["compile_s"], cold["kernels"]), flush=True)
    if len(each) > 1:
        print("for a layer: %.2f times that of the smallest but one" % (each[-1] / each[1]))


if __name__ == "__main__":
    main()
