#!/usr/bin/env python3
"""dlc against its peers on the reference networks, alternately in one run; prints a table of ratios of medians.

  compare.py --peers PEERS.py [--python PYTHON] [--peer torch,torch-compile,jax] [--mode train] [--rounds 3]
             [--seconds 3] [--threads 2] [--workload lenet5,...]

PEERS.py prints one JSON line for `PEER WORKLOAD MODE`, as `dlc bench --json` does; PYTHON is the interpreter that has the peers.
A ratio above 1 means that dlc is faster. Run it on a quiet machine.
"""
import argparse
import json
import os
import statistics
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))
WORKLOADS = ['linear', 'mlp', 'mlp-wide', 'lenet5', 'vgg-cifar', 'resnet20', 'cbr-64x32', 'cbr-256x14', 'alexnet']


def measure(command):
    done = subprocess.run(command, capture_output=True, text=True)
    lines = [line for line in done.stdout.splitlines() if line.startswith('{')]
    return json.loads(lines[-1])['ms_median'] if done.returncode == 0 and lines else None


def main():
    p = argparse.ArgumentParser()
    p.add_argument('--peers', required=True)
    p.add_argument('--python', default='python3')
    p.add_argument('--dlc', default=os.path.join(HERE, '..', '..', 'build', 'dlc'))
    p.add_argument('--peer', default='torch')
    p.add_argument('--workload', default=','.join(WORKLOADS))
    p.add_argument('--mode', default='train')
    p.add_argument('--rounds', type=int, default=3)
    p.add_argument('--seconds', default='3')
    p.add_argument('--threads', default='2')
    a = p.parse_args()
    peers = a.peer.split(',')
    print(f'{"workload":12} {"dlc ms":>9}' + ''.join(f' {peer:>14} {"ratio":>6}' for peer in peers))
    for workload in a.workload.split(','):
        times = {name: [] for name in ['dlc'] + peers}
        batch = ['--batch', '1'] if a.mode == 'infer' else []
        common = ['--threads', a.threads, '--seconds', a.seconds] + batch
        for _ in range(a.rounds):
            found = measure([a.dlc, 'bench', os.path.join(HERE, workload + '.dl'), '--mode', a.mode, '--json'] + common)
            times['dlc'].append(found)
            for peer in peers:
                times[peer].append(measure([a.python, a.peers, peer, workload, a.mode] + common))
        middle = {name: statistics.median(t) if None not in t else None for name, t in times.items()}
        row = f'{workload:12} {middle["dlc"] if middle["dlc"] is not None else "failed":>9}'
        for peer in peers:
            ratio = middle[peer] / middle['dlc'] if middle[peer] and middle['dlc'] else None
            row += f' {middle[peer] if middle[peer] is not None else "failed":>14} {f"{ratio:.2f}" if ratio else "-":>6}'
        print(row, flush=True)


if __name__ == '__main__':
    main()
