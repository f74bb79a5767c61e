#!/usr/bin/env python3
"""Takes snapshots of a disk that is written to, and looks whether each shows one moment.

usage: cuts.py DEVICE DIRECTORY SECONDS OFFSET

Writers write growing numbers to pages of their own from OFFSET on of the block device DEVICE, one
page after the other, each when the one before has been answered.  So a snapshot has all up to some
number and none beyond, no page has two, and that number lies between what was answered when it was
asked for and what had begun when it was there.  DIRECTORY is that of the disk's snapshots, taken
every 10 ms; some stay for a while, and are looked at again.
"""
import mmap
import os
import random
import struct
import sys
import threading
import time

WRITERS = 2
PAGES = 48
PAGE = 4096
PAUSE_S = 0.01
KEPT = 12


class Writer:
    def __init__(self, device, begin):
        self.begin = begin
        self.fd = os.open(device, os.O_RDWR | os.O_DIRECT)
        self.page = mmap.mmap(-1, PAGE)
        self.begun = 0
        self.answered = 0
        for _ in range(PAGES):
            self.write()

    def write(self):
        self.begun += 1
        self.page[:] = struct.pack("<Q", self.begun) * (PAGE // 8)
        os.pwritev(self.fd, [self.page], self.begin + self.begun % PAGES * PAGE)
        self.answered = self.begun

    def newest_of(self, path):
        """The number up to which all are in the snapshot."""
        with open(os.path.join(path, "disk"), "rb") as file:
            bytes_ = os.pread(file.fileno(), PAGES * PAGE, self.begin)
        numbers = []
        for at in range(0, PAGES * PAGE, PAGE):
            found = set(struct.unpack("<512Q", bytes_[at:at + PAGE]))
            if len(found) != 1:
                raise AssertionError(f"{path}: a page has parts of {sorted(found)}")
            numbers.append(found.pop())
        newest = max(numbers)
        wanted = [newest - (newest - page) % PAGES for page in range(PAGES)]
        if numbers != wanted:
            raise AssertionError(f"{path}: {numbers} is no moment, {wanted} would be")
        return newest


def snapshots(writers, directory, end):
    """Takes them until `end`; how many."""
    dice = random.Random(1)
    kept = {}
    count = 0
    while time.monotonic() < end:
        path = os.path.join(directory, f"cut{count}")
        least = [writer.answered for writer in writers]
        os.mkdir(path)
        most = [writer.begun for writer in writers]
        kept[path] = [writer.newest_of(path) for writer in writers]
        for low, newest, high in zip(least, kept[path], most):
            if not low <= newest <= high:
                raise AssertionError(f"{path}: {newest}, and not {low} to {high}")
        count += 1
        while len(kept) > KEPT:
            old = dice.choice(list(kept))
            if [writer.newest_of(old) for writer in writers] != kept.pop(old):
                raise AssertionError(f"{old}: it is another moment now")
            os.rmdir(old)
        time.sleep(PAUSE_S)
    for path, newest in kept.items():
        if [writer.newest_of(path) for writer in writers] != newest:
            raise AssertionError(f"{path}: it is another moment in the end")
        os.rmdir(path)
    return count


def main(device, directory, seconds, offset):
    writers = [Writer(device, int(offset) + i * PAGES * PAGE) for i in range(WRITERS)]
    over = threading.Event()

    def run(writer):
        while not over.is_set():
            writer.write()

    threads = [threading.Thread(target=run, args=[writer]) for writer in writers]
    for thread in threads:
        thread.start()
    try:
        count = snapshots(writers, directory, time.monotonic() + float(seconds))
    finally:
        over.set()
        for thread in threads:
            thread.join()
    print(f"{count} snapshots, {sum(writer.answered for writer in writers)} writes")
    return 0 if count >= 3 else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
