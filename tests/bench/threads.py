#!/usr/bin/env python3
"""What two threads give over one, relative to what two cores give over one on a bare loop of multiply-adds (peak.c), all
in turn in one run; medians of the rounds.

  threads.py [--dlc DLC] [--threads 2] [--rounds 5] [--seconds 1] [--mode train] [NETWORK ..]
"""
import argparse
import os
import statistics
import tempfile

import contractions


def step(a, network, threads):
    path = os.path.join(contractions.HERE, network + '.dl')
    return contractions.bench(a, path, mode=a.mode, threads=threads)['ms_median']


def main():
    p = argparse.ArgumentParser()
    p.add_argument('--dlc', default=os.path.join(contractions.HERE, '..', '..', 'build', 'dlc'))
    p.add_argument('--threads', type=int, default=2)
    p.add_argument('--rounds', type=int, default=5)
    p.add_argument('--seconds', type=float, default=1)
    p.add_argument('--mode', default='train')
    p.add_argument('networks', nargs='*', default=['vgg-cifar'])
    a = p.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        one, all_ = contractions.Machine(1, folder), contractions.Machine(a.threads, folder)
        print(f'{"network":12} {"1 thread":>9} {f"{a.threads} threads":>10}  gain   loop   gain / loop')
        for network in a.networks:
            times, peaks = ([], []), ([], [])
            for _ in range(a.rounds):
                for k, (machine, threads) in enumerate(((one, 1), (all_, a.threads))):
                    peaks[k].append(machine.peak(seconds=0.3))
                    times[k].append(step(a, network, threads))
            gain = statistics.median(times[0]) / statistics.median(times[1])
            loop = statistics.median(peaks[1]) / statistics.median(peaks[0])
            print(f'{network:12} {statistics.median(times[0]):7.2f}ms {statistics.median(times[1]):8.2f}ms '
                  f'{gain:5.2f} {loop:6.2f} {gain / loop:10.2f}', flush=True)


if __name__ == '__main__':
    main()
