#!/usr/bin/env python3
"""Makes, configures, uses and removes devices, and expects of each command what it always does.

usage: control.py MOUNT SEED STOP-FILE

Each thread does so until STOP-FILE exists, with devices of its own.  What goes another way than it
would if nobody ever died ends the program: mkdir that says EEXIST of what it has made, rmdir that
finds nothing, a value that is not there, another errno than the expected.
"""

import errno
import json
import os
import random
import sys
import threading

THREADS = 3
MIB = 1 << 20


class Device:
    def __init__(self, mount, name, dice):
        self.path = os.path.join(mount, name)
        self.dice = dice

    def file(self, name):
        return os.path.join(self.path, name)

    def put(self, name, value):
        with open(self.file(name), "wb", buffering=0) as file:
            text = f"{value}\n".encode()
            if file.write(text) != len(text):
                raise AssertionError(f"{name}: a short write")

    def get(self, name):
        with open(self.file(name), encoding="ascii") as file:
            return file.read().rstrip("\n")

    def expect(self, name, value):
        got = self.get(name)
        if got != str(value):
            raise AssertionError(f"{name} is {got!r}, not {value!r}")

    def refused(self, number, what, call):
        try:
            call()
        except OSError as error:
            if error.errno != number:
                raise AssertionError(f"{what}: {error}") from error
        else:
            raise AssertionError(f"{what} was not refused")

    def disk(self):
        return os.open(self.file("disk"), os.O_RDWR)

    def cycle_power(self):
        self.put("power", 0)
        self.refused(errno.ENOENT, "opening a disk that is off", self.disk)
        self.put("power", 1)

    def live(self):
        os.mkdir(self.path)
        self.refused(errno.EEXIST, "mkdir", lambda: os.mkdir(self.path))
        self.configure()
        self.write_texts()
        data = self.dice.randbytes(MIB)
        self.use_rules()
        fd = self.disk()
        self.refused(errno.EBUSY, "size", lambda: self.put("size", 4))
        os.pwrite(fd, data, MIB)
        if self.dice.random() < 0.2:
            self.refused(errno.EBUSY, "power", lambda: self.put("power", 0))
        self.compare(fd, data)
        os.close(fd)
        self.cycle_power()
        self.put("power", 0)
        self.put("size", self.dice.choice([4, 8, 32]))  # larger ones move to another memfd
        self.put("power", 1)
        fd = self.disk()
        self.compare(fd, data)
        os.close(fd)
        os.rmdir(self.path)
        self.refused(errno.ENOENT, "rmdir", lambda: os.rmdir(self.path))
        self.refused(errno.ENOENT, "stat", lambda: os.stat(self.path))

    def configure(self):
        datapath = self.dice.choice(["auto", "daemon"])
        if self.dice.random() < 0.5:
            self.put("size", 8)
            self.put("memory_backed", 1)
            self.put("datapath", datapath)
            self.expect("memory_backed", 1)
            self.put("power", 1)
        else:
            text = json.dumps({"size": 8, "memory_backed": True, "datapath": datapath,
                               "power": True})
            cut = self.dice.randrange(1, len(text))
            with open(self.file("config.json"), "wb", buffering=0) as file:  # two writes
                file.write(text[:cut].encode())
                file.write(text[cut:].encode())
        self.expect("size", 8)
        self.expect("power", 1)
        self.expect("last_error", "")

    def write_texts(self):
        """What would be something else if a write were done twice."""
        for _ in range(5):
            for command in ["+0-7", "-0-3", "+40-47", "-4-7"]:
                self.put("badblocks", command)
            self.expect("badblocks", "40 8")
            text = json.dumps({"badblocks": ["16-23"]}).encode()
            with open(self.file("config.json"), "ab", buffering=0) as file:
                for at in range(0, len(text), 2):
                    file.write(text[at:at + 2])
            self.expect("badblocks", "16 8")
            self.put("badblocks", "-16-23")
            self.expect("last_error", "")

    def use_rules(self):
        """Rules come and go, and fire exactly as often as they say."""
        rule = self.file("faults/x")
        os.mkdir(rule)
        self.refused(errno.EEXIST, "mkdir", lambda: os.mkdir(rule))
        self.put("faults/x/op", "read")
        self.put("faults/x/sectors", "0-7")
        self.put("faults/x/times", 2)
        if self.get("datapath") == "auto":
            self.put("datapath", "daemon")
        self.put("faults/x/enabled", 1)
        self.put("faults/new", "read 0-7 delay 1ms")
        fd = self.disk()
        for _ in range(2):
            self.refused(errno.EIO, "a read", lambda: os.pread(fd, 512, 0))
        os.pread(fd, 512, 0)
        os.pread(fd, 512, 4096)
        os.close(fd)
        self.expect("faults/x/hits", 2)
        self.expect("faults/rules", "rule1: read 0-7 delay 1ms\nx: read 0-7 error EIO times 2")
        os.rmdir(rule)
        self.put("faults/rules", "")
        self.expect("faults/rules", "")

    def compare(self, fd, data):
        if os.pread(fd, MIB, MIB) != data:
            raise AssertionError("the disk has lost what was written")
        if os.pread(fd, MIB, 2 * MIB).strip(b"\0"):
            raise AssertionError("the disk has what nobody has written")


def main(mount, seed, stop_file):
    failures = []
    lives = []

    def run(number):
        dice = random.Random(f"{seed} {number}")
        while not failures and not os.path.exists(stop_file):
            device = Device(mount, f"control{number}-{len(lives)}", dice)
            try:
                device.live()
            except (OSError, AssertionError) as error:
                failures.append(f"{device.path}: {error!r}")
            lives.append(device.path)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(*failures, f"{len(lives)} devices made and removed", sep="\n")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
