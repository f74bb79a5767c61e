#!/usr/bin/env python3
"""Kills a mount's worker at random moments, or has it upgraded.

usage: killer.py kill|upgrade|quick MOUNT COUNT SEED

Some kills come together, so that they meet a worker that is just taking over; "quick" ones come
every 50 ms, and nobody looks between.  After each other the time until status.json is read again is
taken.  Prints the gaps' median and worst, or what went wrong.
"""

import json
import os
import random
import signal
import statistics
import subprocess
import sys
import time

TOGETHER = 0.25
QUICK_S = 0.05
PATIENCE_S = 30


def status(mount):
    """status.json, read by a process that can be left to its fate should nobody answer."""
    text = subprocess.run(["cat", os.path.join(mount, "status.json")], stdout=subprocess.PIPE,
                          timeout=PATIENCE_S, check=True).stdout
    return json.loads(text)


def worker_of(guard):
    with open(f"/proc/{guard}/task/{guard}/children", encoding="ascii") as file:
        children = [int(pid) for pid in file.read().split()]
    return children[0] if children else None


def is_alive(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            return file.read().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def next_worker(guard, last):
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        pid = worker_of(guard)
        if pid not in (None, last) and is_alive(pid):
            return pid
    raise TimeoutError("the guard has started no other worker")


def main(how, mount, count, seed):
    dice = random.Random(f"{seed} killer")
    guard = status(mount)["guard_pid"]
    gaps = []
    last = None
    for _ in range(int(count)):
        pause = dice.uniform(0.0, 0.03) if dice.random() < TOGETHER else dice.uniform(0.3, 2.0)
        if how == "upgrade":
            pause += 2.0
        time.sleep(QUICK_S if how == "quick" else pause)
        begun = time.monotonic()
        if how == "upgrade":
            subprocess.run([os.environ["RNULLFS"], "--upgrade", mount], check=True,
                           stdout=subprocess.DEVNULL, timeout=PATIENCE_S)
            last = worker_of(guard)
        else:
            last = next_worker(guard, last)
            os.kill(last, signal.SIGKILL)
            if how == "quick" or dice.random() < TOGETHER:
                continue  # and the next one before anybody has asked for anything
        status(mount)
        gaps.append(time.monotonic() - begun)
    replaced = status(mount)["workers_replaced"]
    if replaced != int(count):
        print(f"workers_replaced is {replaced} after {count}")
        return 1
    gaps = gaps or [0.0]
    print(f"{count} times; until it served again: median {statistics.median(gaps) * 1000:.0f} ms, "
          f"at worst {max(gaps) * 1000:.0f} ms")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(*sys.argv[1:]))
    except (OSError, TimeoutError, subprocess.SubprocessError) as problem:
        sys.exit(f"{problem}")
