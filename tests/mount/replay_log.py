#!/usr/bin/env python3
"""Replays a log in dm-log-writes' format onto an image, and looks whether it is well formed.

usage: replay_log.py LOG IMAGE [--until MARK] [--list]

Does to IMAGE what the records of LOG say, all or those before the first mark called MARK.  --list
prints a line for each record: what it is, its sector, and how many.  Anything that the format does
not have, or has elsewhere, is an error.
"""
import argparse
import os
import struct

SECTOR = 512
MAGIC = 0x6a736677736872
FLUSH, FUA, DISCARD, MARK = 1, 2, 4, 8
NAMES = {0: "write", FLUSH: "flush", FUA: "fua", DISCARD: "discard", MARK: "mark"}


class Malformed(Exception):
    pass


def need(truth, what):
    if not truth:
        raise Malformed(what)


def exactly(file, count):
    data = file.read(count)
    need(len(data) == count, f"the log ends within {count} bytes at {file.tell()}")
    return data


def records(file):
    """Tells (flags, sector, sectors, text, data) of each."""
    head = exactly(file, SECTOR)
    magic, version, count, sector_bytes = struct.unpack_from("<QQQI", head)
    need(magic == MAGIC and version == 1, f"magic {magic:#x}, version {version}")
    need(sector_bytes == SECTOR, f"sectors of {sector_bytes} bytes")
    need(not any(head[28:]), "something behind the head")
    for number in range(count):
        head = exactly(file, SECTOR)
        sector, sectors, flags, length = struct.unpack_from("<QQQQ", head)
        where = f"record {number}: "
        need(flags in NAMES, where + f"flags {flags:#x}")
        need(length < SECTOR - 32, where + f"{length} bytes of text")
        need(flags == MARK or length == 0, where + "text, and no mark")
        need(not any(head[32 + length:]), where + "something behind the text")
        if flags in (FLUSH, MARK):
            need(sector == 0 and sectors == 0, where + "a range")
        else:
            need(sectors > 0, where + "no range")
        data = b"" if flags == DISCARD else exactly(file, sectors * SECTOR)
        yield flags, sector, sectors, head[32:32 + length].decode(), data
    need(not file.read(1), f"more than the {count} records that it says")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("log")
    parser.add_argument("image")
    parser.add_argument("--until")
    parser.add_argument("--list", action="store_true")
    arguments = parser.parse_args()
    found = False
    with open(arguments.log, "rb") as log, open(arguments.image, "r+b") as image:
        size = os.fstat(image.fileno()).st_size
        for flags, sector, sectors, text, data in records(log):
            if flags == MARK and text == arguments.until:
                found = True
                break
            if arguments.list:
                print(NAMES[flags], text or sector, sectors)
            need((sector + sectors) * SECTOR <= size, f"sector {sector} lies behind the end")
            image.seek(sector * SECTOR)
            image.write(bytes(sectors * SECTOR) if flags == DISCARD else data)
    need(found or arguments.until is None, f"there is no mark {arguments.until}")


if __name__ == "__main__":
    main()
