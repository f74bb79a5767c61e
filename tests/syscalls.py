#!/usr/bin/env python3
"""System calls that no command makes in quite that way, for the shell tests.

usage: syscalls.py FILE FLAGS CALL [ARGUMENT...] [CALL ...]

Opens FILE with FLAGS (names of os.O_* joined by "|") and makes the calls in order.  Prints one word
a call, on one line: what it returned, or the name of its errno.

  write TEXT             pread OFFSET LENGTH    truncate LENGTH    fsync
  pwrite OFFSET TEXT     text OFFSET LENGTH     data OFFSET        close
  fill OFFSET LENGTH     seek OFFSET            hole OFFSET        punch OFFSET LENGTH
  map-write OFFSET TEXT  map-read OFFSET LENGTH

pread counts bytes, text shows them (zeros as ".", newlines as "|"); fill writes LENGTH bytes; data
and hole are lseek() with SEEK_DATA and SEEK_HOLE; map-write maps shared, map-read private.
"""
import ctypes
import errno
import mmap
import os
import sys

LIBC = ctypes.CDLL(None, use_errno=True)
PUNCH_HOLE_KEEP_SIZE = 3
SHOWN = str.maketrans({"\0": ".", "\n": "|"})


def fallocate(fd, mode, offset, length):
    arguments = [ctypes.c_long(offset), ctypes.c_long(length)]
    if LIBC.fallocate(fd, mode, *arguments) != 0:
        raise OSError(ctypes.get_errno(), "fallocate")
    return 0


def map_write(fd, offset, text):
    start = offset - offset % mmap.PAGESIZE
    data = text.encode()
    with mmap.mmap(fd, offset - start + len(data), offset=start) as view:
        view[offset - start:] = data
        view.flush()  # msync()
    return len(data)


def map_read(fd, offset, length):
    start = offset - offset % mmap.PAGESIZE
    how = {"flags": mmap.MAP_PRIVATE, "prot": mmap.PROT_READ}
    with mmap.mmap(fd, offset - start + length, offset=start, **how) as view:
        return view[offset - start:].decode("latin-1").translate(SHOWN)


CALLS = {
    "write": (lambda fd, text: os.write(fd, text.encode()), [str]),
    "pwrite": (lambda fd, offset, text: os.pwrite(fd, text.encode(), offset), [int, str]),
    "fill": (lambda fd, offset, length: os.pwrite(fd, b"\xa5" * length, offset), [int, int]),
    "pread": (lambda fd, offset, length: len(os.pread(fd, length, offset)), [int, int]),
    "text": (lambda fd, offset, length:
             os.pread(fd, length, offset).decode("latin-1").translate(SHOWN), [int, int]),
    "seek": (lambda fd, offset: os.lseek(fd, offset, os.SEEK_SET), [int]),
    "data": (lambda fd, offset: os.lseek(fd, offset, os.SEEK_DATA), [int]),
    "hole": (lambda fd, offset: os.lseek(fd, offset, os.SEEK_HOLE), [int]),
    "truncate": (lambda fd, length: os.ftruncate(fd, length) or 0, [int]),
    "fsync": (lambda fd: os.fsync(fd) or 0, []),
    "close": (lambda fd: os.close(fd) or 0, []),
    "punch": (lambda fd, offset, length:
              fallocate(fd, PUNCH_HOLE_KEEP_SIZE, offset, length), [int, int]),
    "map-write": (map_write, [int, str]),
    "map-read": (map_read, [int, int]),
}


def attempt(call, *arguments):
    try:
        return call(*arguments)
    except OSError as error:
        return errno.errorcode[error.errno]


def main(path, flags, *words):
    bits = 0
    for name in flags.split("|"):
        bits |= getattr(os, name)
    fd = attempt(os.open, path, bits)
    if isinstance(fd, str):
        print(fd)
        return
    results = []
    words = list(words)
    while words:
        call, kinds = CALLS[words.pop(0)]
        arguments = [kind(words.pop(0)) for kind in kinds]
        results.append(str(attempt(call, fd, *arguments)))
    print(*results)


if __name__ == "__main__":
    main(*sys.argv[1:])
